/** Nothing that is restarted or killed cuts a flow between containers that are not part of it. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSeedLab, pings, readStatus, runContainer } from '../support/cluster.ts'
import { lostWhile } from '../support/flow.ts'
import { ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

let lab: Lab
let host1: Host
let host2: Host
let host3: Host

beforeAll(async () => {
  lab = await createSeedLab(3)
  host1 = lab.host(1)
  host2 = lab.host(2)
  host3 = lab.host(3)
  await runContainer(host1, 'left')
  await runContainer(host2, 'right')
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

function flow(work: () => Promise<unknown>): Promise<{ lost: number; broken: boolean }> {
  return lostWhile({ from: host1, container: 'left', to: host2, server: 'right' }, work)
}

const nothing = { lost: 0, broken: false }

test('the router is killed, on both ends of the flow', async () => {
  expect(
    await flow(async () => {
      await ok(host1.docker('kill', '-s', 'KILL', 'weave'))
      await ok(host2.docker('kill', '-s', 'KILL', 'weave'))
      await ok(host1.docker('start', 'weave'))
      await ok(host2.docker('start', 'weave'))
      await bothReady()
    }),
  ).toEqual(nothing)
})

test('the router is stopped, and launched again', async () => {
  expect(
    await flow(async () => {
      await ok(host1.weave('stop'))
      await ok(host1.weave('launch'))
      await bothReady()
    }),
  ).toEqual(nothing)
})

test('the plugin is restarted', async () => {
  expect(await flow(() => ok(host1.docker('restart', 'weaveplugin')))).toEqual(nothing)
  await runContainer(host1, 'after-plugin')
  expect(await pings(host1, 'after-plugin', 'right')).toBe(true)
  await ok(host1.docker('rm', '-f', 'after-plugin'))
})

test('a container beside them is restarted', async () => {
  await runContainer(host1, 'beside')
  expect(await flow(() => ok(host1.docker('restart', '-t', '0', 'beside')))).toEqual(nothing)
  expect(await pings(host2, 'right', 'beside')).toBe(true)
  await ok(host1.docker('rm', '-f', 'beside'))
})

test('dockerd is restarted on a third host, whose containers come back', async () => {
  await runContainer(host3, 'third', { args: ['--restart=always'] })
  expect(await pings(host1, 'left', 'third')).toBe(true)
  expect(
    await flow(async () => {
      await host3.stopDocker()
      await host3.startDocker()
    }),
  ).toEqual(nothing)
  expect(await until(() => pings(host1, 'left', 'third'), 60_000)).toBe(true)
})

test('the store is away for a while', async () => {
  expect(
    await flow(async () => {
      await lab.store.stop()
      await new Promise((resolve) => setTimeout(resolve, 5000))
      await lab.store.start()
    }),
  ).toEqual(nothing)
  expect(await until(async () => (await readStatus(host1)).store.connected, 20_000)).toBe(true)
})

test('somebody deletes our entries, links and rules: they are mended, and counted', async () => {
  const before = await driftOf(host1)
  const tunnel = await ok(host1.run("ip -o link | grep -o 'wvx[0-9a-f]*' | head -1"))
  await ok(
    host1.run(
      `bridge fdb show dev ${tunnel} | grep dst | while read mac rest; do bridge fdb del $mac dev ${tunnel} self; done; true`,
    ),
  )
  await ok(host1.run('iptables -F FORWARD; nft delete table inet weave'))
  expect(await until(() => pings(host1, 'left', 'right'), 30_000)).toBe(true)
  expect(await until(async () => (await driftOf(host1)) > before, 30_000)).toBe(true)

  await ok(host1.run(`ip link delete ${tunnel}`))
  expect(await until(() => pings(host1, 'left', 'right'), 30_000)).toBe(true)
  expect(
    await until(async () => (await host1.run('nft list table inet weave')).code === 0, 30_000),
  ).toBe(true)
})

async function driftOf(host: Host): Promise<number> {
  const { targets } = await readStatus(host)
  return targets.reduce((sum, { drift }) => sum + drift, 0)
}

async function bothReady(): Promise<void> {
  for (const host of [host1, host2]) {
    const isReady = await until(async () => (await host.weave('status')).code === 0, 30_000)
    if (!isReady) throw new Error(`${host.name} does not become ready`)
  }
}
