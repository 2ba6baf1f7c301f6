/**
 * Docker's cluster store: hosts that know nothing else find each other in it, and when it goes away, or
 * loses everything, no flow notices.
 *
 * The same for a store of our own is in managed-store.test.ts.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRouterClient } from '../../src/control/client.ts'
import { isEndpointId } from '../../src/model/cluster.ts'
import {
  addressOf,
  createNetwork,
  pings,
  readStatus,
  runContainer,
  storedKeys,
} from '../support/cluster.ts'
import { lostWhile } from '../support/flow.ts'
import type { Losses } from '../support/flow.ts'
import { createLab, ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

let lab: Lab
let host1: Host
let host2: Host
let host3: Host

beforeAll(async () => {
  lab = await createLab({ hosts: 3, engine: '20.10', store: 'etcd-as-docker-cluster-store' })
  host1 = lab.host(1)
  host2 = lab.host(2)
  host3 = lab.host(3)
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

function flow(work: () => Promise<unknown>): Promise<Losses> {
  return lostWhile({ from: host1, container: 'left', to: host2, server: 'right' }, work)
}

const nothing = { lost: 0, broken: false }
const newcomer = 'e2e0'.repeat(16)

test('hosts that are launched at the same moment found one cluster', async () => {
  await Promise.all(lab.hosts.map((host) => ok(host.weave('launch'))))
  const seen = await Promise.all(
    lab.hosts.map(async (host) => {
      await until(async () => (await readStatus(host)).peers.length === 3, 5000)
      const { cluster, peers } = await readStatus(host)
      return { cluster: cluster.id, peers: peers.map(({ nickname }) => nickname).toSorted() }
    }),
  )
  const [first] = seen
  expect(first?.cluster).toMatch(/^[0-9a-f]{32}$/)
  expect(first?.peers).toEqual(['host1', 'host2', 'host3'])
  expect(seen).toEqual([first, first, first])
})

test('containers on all three reach each other', async () => {
  await Promise.all(lab.hosts.map((host) => ok(host.weave('launch-plugin'))))
  await createNetwork(lab, 'weave')
  await runContainer(host1, 'left')
  await runContainer(host2, 'right')
  await runContainer(host3, 'third')
  expect(await pings(host1, 'left', 'right')).toBe(true)
  expect(await pings(host3, 'third', 'left')).toBe(true)
})

test('while it is away, flows go on, containers start and are reached, and are published once it is back', async () => {
  const [left] = (await readStatus(host1)).endpoints.filter(({ local }) => local)
  if (left === undefined) throw new Error('left is not there')
  const { network } = left
  const address = (await addressOf(host1, 'left')).replace(/\d+$/, '222')
  using router = createRouterClient({ socket: host1.path('/run/weave/weave.sock') })
  const call = { signal: AbortSignal.timeout(60_000) }
  if (!isEndpointId(newcomer)) throw new Error(`${newcomer} is no endpoint ID`)
  await ok(host1.docker('run', '-d', '--name=newcomer', '--net=none', 'ubuntu', 'sleep', '1000'))

  const losses = await flow(async () => {
    await lab.store.stop()
    expect(await until(async () => !(await readStatus(host1)).store.connected, 10_000)).toBe(true)
    // Docker itself starts no container without its cluster store: its part is played here.
    await router.putEndpoint(newcomer, { network, addresses: [`${address}/24`] }, call)
    const { link } = await router.joinEndpoint(newcomer, { sandbox: '' }, call)
    await moveIn(host1, 'newcomer', { link, address })
    expect(await pings(host1, 'newcomer', await addressOf(host2, 'right'))).toBe(true)
    expect(await pings(host2, 'right', address)).toBe(true)
    expect(await publishedOn(host2, newcomer)).toBe(false)
    await lab.store.start()
  })
  expect(losses).toEqual(nothing)
  expect(await until(() => publishedOn(host2, newcomer), 20_000)).toBe(true)
  expect((await readStatus(host1)).store.connected).toBe(true)
  await router.deleteEndpoint(newcomer, call)
  await ok(host1.docker('rm', '-f', 'newcomer'))
  expect(await until(async () => !(await publishedOn(host2, newcomer)), 10_000)).toBe(true)
})

test('a store that has lost all its data is filled again, and nobody notices', async () => {
  const { cluster } = await readStatus(host1)
  const wanted = await storedKeys(lab)
  // The cluster, its hosts, the network and its number, three endpoints.
  expect(wanted).toHaveLength(1 + lab.hosts.length + 1 + 1 + 3)

  const losses = await flow(async () => {
    await lab.store.stop()
    await ok(lab.hub.run('rm -rf /tmp/etcd'))
    await lab.store.start()
    await until(async () => {
      const now = new Set(await storedKeys(lab))
      return wanted.every((key) => now.has(key))
    }, 30_000)
    expect(await storedKeys(lab)).toEqual(wanted)
  })
  expect(losses).toEqual(nothing)
  expect((await readStatus(host3)).cluster.id).toBe(cluster.id)
  expect(await pings(host1, 'left', await addressOf(host3, 'third'))).toBe(true)
})

async function publishedOn(host: Host, id: string): Promise<boolean> {
  return (await readStatus(host)).endpoints.some((endpoint) => endpoint.id === id)
}

/** What Docker does with the interface that a driver hands to it. */
async function moveIn(
  host: Host,
  container: string,
  { link, address }: { readonly link: string; readonly address: string },
): Promise<void> {
  const pid = await ok(host.docker('inspect', '-f', '{{.State.Pid}}', container))
  await ok(
    host.run(
      `ip link set ${link} netns ${pid} && nsenter -t ${pid} -n sh -ec '
         ip link set ${link} name ethwe0
         ip address add ${address}/24 dev ethwe0
         ip link set ethwe0 up'`,
    ),
  )
}
