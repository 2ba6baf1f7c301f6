/**
 * Networks everywhere: without a cluster store each engine has its own list of networks, and what is
 * made or removed on one host is so on all. On every engine, 20.10 without its cluster store among them.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  addressOf,
  pings,
  readStatus,
  restarted,
  runContainer,
  signalMain,
} from '../../support/cluster.ts'
import { createLab, ok, until } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'
import { currentMode } from '../../support/mode.ts'
import {
  createNetwork,
  expectNetwork,
  expectState,
  inspect,
  listNetworks,
  removeNetwork,
  withoutIdentity,
} from '../../support/networks.ts'

let lab: Lab
let host1: Host
let host2: Host
let host3: Host
let both: readonly Host[]
let all: readonly Host[]

beforeAll(async () => {
  lab = await createLab({ hosts: 3, engine: currentMode().engine, store: 'none' })
  host1 = lab.host(1)
  host2 = lab.host(2)
  host3 = lab.host(3)
  both = [host1, host2]
  all = lab.hosts
  await ok(host1.weave('launch'))
  await ok(host2.weave('launch', 'host1'))
  for (const host of both) await ok(host.weave('launch-plugin'))
  for (const host of all) {
    await ok(host.docker('network', 'create', '--driver=bridge', 'foreign'))
  }
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('a network that is created on one host is on the other, as it was made', async () => {
  await createNetwork(host1, 'plain')
  await createNetwork(
    host1,
    'special',
    '--subnet=10.77.0.0/16',
    '--ip-range=10.77.8.0/21',
    '--gateway=10.77.0.9',
    '--aux-address=printer=10.77.8.5',
    '--opt=weave.mtu=1400',
    '--label=env=test',
    '--internal',
    '--attachable',
  )
  await expectNetwork(both, 'plain')
  await expectNetwork(both, 'special')

  for (const name of ['plain', 'special']) {
    const [here, there] = await Promise.all(both.map((host) => inspect(host, name)))
    expect(withoutIdentity(there)).toEqual(withoutIdentity(here))
    expect(there?.Id).not.toBe(here?.Id)
    await expectState(both, name, 'everywhere')
  }
  const { stdout } = await host2.weave('status', 'networks')
  expect(stdout).toMatch(/ special +everywhere .*10\.77\.0\.0\/16/)
})

test('a host that joins later has it, too, and containers of all hosts meet in it', async () => {
  await ok(host3.weave('launch', 'host1'))
  await ok(host3.weave('launch-plugin'))
  await expectNetwork([host3], 'special')
  await expectNetwork([host3], 'plain')

  for (const host of all) await runContainer(host, 'one', { net: 'plain' })
  const target = await addressOf(host3, 'one', 'plain')
  for (const host of both) expect(await pings(host, 'one', target)).toBe(true)
  for (const host of all) await ok(host.docker('rm', '-f', 'one'))
})

test('what is removed on one host goes from all, and leaves nothing', async () => {
  await removeNetwork(host2, 'special')
  await expectNetwork(all, 'special', 'gone')

  for (const host of all) {
    const isClean = await until(async () => {
      const { networks, definitions } = await readStatus(host)
      return networks.length === 1 && definitions.length === 1
    }, 15_000)
    expect(isClean ? 'clean' : await readStatus(host)).toBe('clean')
  }
})

test.each(['running', 'stopped'])(
  'where a %s container is on it, it stays until that is gone',
  async (state) => {
    await createNetwork(host1, 'used')
    await expectNetwork(all, 'used')
    await runContainer(host2, 'last', { net: 'used' })
    if (state === 'stopped') await ok(host2.docker('stop', 'last'))

    await removeNetwork(host1, 'used')
    await expectNetwork([host1, host3], 'used', 'gone')
    await expectState([host2], 'used', 'leaving')
    expect((await host2.weave('status', 'networks')).stdout).toMatch(
      /^used: removed on another host/m,
    )
    if (state === 'stopped') await ok(host2.docker('start', 'last'))
    expect(await pings(host2, 'last', await addressOf(host2, 'last', 'used'))).toBe(true)

    await ok(host2.docker('rm', '-f', 'last'))
    await expectNetwork([host2], 'used', 'gone')
  },
)

test('the same compose file at the same moment on two hosts ends with one network, where all meet', async () => {
  for (let round = 0; round < 3; round += 1) {
    const outcomes = await Promise.allSettled(both.map(composeUp))
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true)
    const isOne = await until(async () => {
      const networks = await Promise.all(all.map((host) => inspect(host, 'app_default')))
      const subnets = new Set(networks.map((network) => network?.IPAM.Config?.[0]?.Subnet))
      return subnets.size === 1 && !subnets.has(undefined)
    }, 30_000)
    expect(isOne).toBe(true)
    await expectState(all, 'app_default', 'everywhere')
    // A second `up`, where the first was told that its network gives way.
    for (const host of both) await ok(host.docker('start', 'app'))
    expect(await pings(host1, 'app', await addressOf(host2, 'app', 'app_default'))).toBe(true)
    // As compose checks it before it uses a network, and as `external: true` finds it.
    const found = await inspect(host3, 'app_default')
    expect(found?.Labels).toEqual({ 'com.docker.compose.project': 'app' })

    for (const host of both) await ok(host.docker('rm', '-f', 'app'))
    await removeNetwork(host1, 'app_default')
    await expectNetwork(all, 'app_default', 'gone')
  }
})

/** What `docker compose up` does, word for word but for its labels. */
async function composeUp(host: Host): Promise<void> {
  await createNetwork(host, 'app_default', '--label=com.docker.compose.project=app').catch(() => {})
  const command = ['--net=app_default', '--stop-signal=KILL', 'ubuntu', 'sleep', '100000']
  await ok(host.docker('create', '--name=app', ...command))
  await ok(host.docker('start', 'app'))
}

test('nothing that was removed comes back when routers, store and engines restart', async () => {
  const before = await Promise.all(all.map(listNetworks))
  for (const host of both) await restarted(host, () => signalMain(host, 'weave', 'KILL'))
  await ok(host1.run('kill -KILL $(pidof etcd)'))
  await Promise.all([
    host2.stopDocker().then(() => host2.startDocker()),
    host3.killDocker().then(() => host3.startDocker()),
  ])
  await expectState(all, 'plain', 'everywhere')

  await expectSameLists(before)
  await createNetwork(host2, 'after')
  await expectNetwork(all, 'after')
  await removeNetwork(host3, 'after')
  await expectNetwork(all, 'after', 'gone')
  await expectSameLists(before)
})

async function expectSameLists(before: readonly (readonly string[])[]): Promise<void> {
  await until(
    async () => JSON.stringify(await Promise.all(all.map(listNetworks))) === JSON.stringify(before),
    15_000,
  )
  expect(await Promise.all(all.map(listNetworks))).toEqual(before)
}
