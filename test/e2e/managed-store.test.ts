/** Without any etcd: the first router runs one, and the user need not know. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  addressOf,
  ourLinks,
  pings,
  readStatus,
  restarted,
  runContainer,
  signalMain,
} from '../support/cluster.ts'
import { lostWhile } from '../support/flow.ts'
import type { Losses } from '../support/flow.ts'
import { createLab, ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

let lab: Lab
let host1: Host
let host2: Host

beforeAll(async () => {
  lab = await createLab({ hosts: 2, engine: '26.1', store: 'none' })
  host1 = lab.host(1)
  host2 = lab.host(2)
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

const nothing = { lost: 0, broken: false }

function flow(work: () => Promise<unknown>): Promise<Losses> {
  return lostWhile({ from: host1, container: 'left', to: host2, server: 'right' }, work)
}

test('the first host founds with a store of its own, and the second one uses it', async () => {
  expect(await ok(host1.weave('launch'))).toMatch(/founded.*managed etcd/)
  expect(await ok(host2.weave('launch', 'host1'))).toMatch(/joined.*managed etcd on 10\.99\.0\.1/)
  const [first, second] = [await readStatus(host1), await readStatus(host2)]
  expect(first.store).toMatchObject({ kind: 'managed', connected: true })
  expect(second.store).toMatchObject({ kind: 'joined', endpoints: ['10.99.0.1:6785'] })
  expect(second.cluster.id).toBe(first.cluster.id)
  expect(second.peers).toHaveLength(2)
  expect(await etcdsOn(host1)).toBe(1)
  expect(await etcdsOn(host2)).toBe(0)
})

test('in local scope Docker’s own addresses are refused, with a command that works', async () => {
  for (const host of [host1, host2]) await ok(host.weave('launch-plugin'))
  const { code, stderr } = await host1.docker('network', 'create', '--driver=weave', 'weave')
  expect(code).not.toBe(0)
  const [, advised = ''] = /(docker network create .*) NAME/.exec(stderr) ?? []
  expect(advised).toContain('--ipam-driver=weave')
  await ok(host1.run(`${advised} weave`))
  const isThere = await until(
    async () => (await host2.docker('network', 'inspect', 'weave')).code === 0,
    15_000,
  )
  expect(isThere).toBe(true)
})

test('containers on both hosts reach each other', async () => {
  await runContainer(host1, 'left')
  await runContainer(host2, 'right')
  expect(await addressOf(host1, 'left')).not.toBe(await addressOf(host2, 'right'))
  expect(await pings(host1, 'left', 'right')).toBe(true)
  expect(await pings(host2, 'right', 'left', '-s', '10000')).toBe(true)
})

test.each(['KILL', 'TERM'])(
  'the router with the store ends by SIG%s and comes back: all is kept, nothing is lost',
  async (signal) => {
    const before = await lastingFacts()
    const losses = await flow(() => restarted(host1, () => signalMain(host1, 'weave', signal)))
    expect(losses).toEqual(nothing)
    await expectFacts(before)
    expect(await etcdsOn(host1)).toBe(1)
  },
)

test('the store alone is killed: its router starts it again', async () => {
  const before = await lastingFacts()
  const losses = await flow(async () => {
    await ok(host1.run('kill -KILL $(pidof etcd)'))
    expect(await until(async () => (await etcdsOn(host1)) === 1, 15_000)).toBe(true)
  })
  expect(losses).toEqual(nothing)
  await expectFacts(before)
})

test('with the store’s host stopped, containers start elsewhere and are published later', async () => {
  const before = await lastingFacts()
  const losses = await flow(async () => {
    await ok(host1.weave('stop'))
    expect(await etcdsOn(host1)).toBe(0)
    await runContainer(host2, 'meanwhile')
    const target = await addressOf(host1, 'left')
    expect(await pings(host2, 'meanwhile', target)).toBe(true)
    await ok(host1.weave('launch'))
  })
  expect(losses).toEqual(nothing)
  const isPublished = await until(
    async () => (await readStatus(host1)).endpoints.filter(({ local }) => !local).length === 2,
    20_000,
  )
  expect(isPublished).toBe(true)
  expect(await pings(host1, 'left', 'meanwhile')).toBe(true)
  await ok(host2.docker('rm', '-f', 'meanwhile'))
  await expectFacts(before)
})

test('a reset of the store’s host leaves neither process nor file', async () => {
  await ok(host2.docker('rm', '-f', 'right'))
  await ok(host2.weave('reset', '--force'))
  await ok(host1.docker('rm', '-f', 'left'))
  await ok(host1.weave('reset', '--force'))
  for (const host of [host1, host2]) {
    expect(await etcdsOn(host)).toBe(0)
    expect(await ourLinks(host)).toEqual([])
    expect((await host.run('ls -d /var/lib/weave /run/weave 2>/dev/null')).stdout).toBe('')
  }
})

async function etcdsOn(host: Host): Promise<number> {
  const { stdout } = await host.run('pidof etcd')
  return stdout.split(' ').filter((pid) => pid.trim() !== '').length
}

/** What no restart may change, as both hosts see it. */
async function lastingFacts(): Promise<readonly unknown[]> {
  const seen = await Promise.all([host1, host2].map(readStatus))
  return seen.map(({ cluster, host, networks, endpoints, peers, store }) => ({
    ids: [cluster.id, host.id],
    vnis: networks.map(({ id, vni }) => `${id} ${vni}`),
    endpoints: endpoints.map(({ id, mac, addresses }) => [id, mac, ...addresses].join(' ')),
    peers: peers.map(({ id }) => id).toSorted(),
    connected: store.connected,
  }))
}

async function expectFacts(before: readonly unknown[]): Promise<void> {
  const wanted = JSON.stringify(before)
  await until(async () => JSON.stringify(await lastingFacts()) === wanted, 15_000)
  expect(await lastingFacts()).toEqual(before)
}
