/**
 * Addresses of our own (`--ipam-driver=weave`): one container each in the whole cluster, whatever happens.
 *
 * Run as processes and not as containers: an engine that starts asks its address driver about every
 * local network in turn, and waits 15 s for one that is a container of its own and thus not there yet.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { addressOf, pings, readStatus, restarted, runContainer } from '../../support/cluster.ts'
import { createLab, ok, until } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'
import { currentMode } from '../../support/mode.ts'
import { createNetwork, expectNetwork, removeNetwork } from '../../support/networks.ts'

const mode = currentMode()
const isLocal = mode.store === 'none'
let lab: Lab
let host1: Host
let host2: Host

beforeAll(async () => {
  lab = await createLab({ hosts: 2, engine: mode.engine, store: mode.store })
  host1 = lab.host(1)
  host2 = lab.host(2)
  const flags = ['--run-as=process', '--ipalloc-range=10.40.0.0/16', '--ipalloc-size=24']
  await ok(host1.weave('launch', ...flags))
  await ok(host2.weave('launch', ...flags, 'host1'))
  for (const host of lab.hosts) await ok(host.weave('launch-plugin', '--run-as=process'))
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('a subnet is chosen that no network and no route has', async () => {
  await createEverywhere('one')
  await createEverywhere('two')
  expect(await subnetOf(host1, 'one')).toBe('10.40.0.0/24')
  expect(await subnetOf(host1, 'two')).toBe('10.40.1.0/24')
  expect(await subnetOf(host2, 'one')).toBe('10.40.0.0/24')
  expect(await gatewayOf(host1, 'one')).toBe(await gatewayOf(host2, 'one'))

  await ok(host2.run('ip link add dummy type bridge && ip addr add 10.40.2.1/24 dev dummy'))
  await ok(host2.run('ip link set dummy up'))
  const isPublished = await until(async () => {
    await createEverywhere('probe')
    const subnet = await subnetOf(host1, 'probe')
    await removeEverywhere('probe')
    return subnet === '10.40.3.0/24'
  }, 45_000)
  expect(isPublished).toBe(true)
})

test('a subnet that overlaps with another network’s is refused, by name', async () => {
  const { code, stderr } = await host2.docker(...create('no'), '--subnet=10.40.0.0/16')
  expect(code).not.toBe(0)
  expect(stderr).toMatch(/10\.40\.0\.0\/16 overlaps with 10\.40\.\d\.0\/24.*POOL_OVERLAPS/s)
})

test('containers that start at the same moment on both hosts have different addresses', async () => {
  const names = Array.from({ length: 12 }, (_, index) => `many${index}`)
  const addresses = await Promise.all(
    names.map(async (name, index) => {
      const host = index % 2 === 0 ? host1 : host2
      await runContainer(host, name, { net: 'one' })
      return await addressOf(host, name, 'one')
    }),
  )
  expect(new Set(addresses).size).toBe(names.length)
  expect(addresses).not.toContain(await gatewayOf(host1, 'one'))
  expect(await pings(host1, 'many0', addresses[11] ?? '')).toBe(true)
  expect(await pings(host2, 'many11', addresses[10] ?? '')).toBe(true)
  for (const [index, name] of names.entries()) {
    await ok((index % 2 === 0 ? host1 : host2).docker('rm', '-f', name))
  }
})

test('--ip is given once in the cluster, and again after its container has gone', async () => {
  await createEverywhere('fixed', '--subnet=10.41.0.0/24')
  await runContainer(host1, 'first', { net: 'fixed', args: ['--ip=10.41.0.77'] })
  const again = ['run', '--rm', '--net=fixed', '--ip=10.41.0.77', 'busybox', 'true']
  expect((await host2.docker(...again)).stderr).toMatch(
    /10\.41\.0\.77 of 10\.41\.0\.0\/24 is not free: host1 decides about it: it is in use/,
  )
  expect((await host1.docker(...again)).stderr).toContain('a container of this host has it')
  await ok(host1.docker('rm', '-f', 'first'))
  await ok(host2.docker(...again))
  await ok(host1.docker(...again))
})

test('a container keeps its --ip through kills of dockerd, of the router and of the plugin', async () => {
  await runContainer(host1, 'keeper', {
    net: 'fixed',
    args: ['--ip=10.41.0.50', '--restart=always'],
  })
  await host1.killDocker()
  await host1.startDocker()
  expect(await isRunning(host1, 'keeper')).toBe(true)
  await restarted(host1, () => kill(host1, 'router'))
  await kill(host1, 'plugin')
  await ok(host1.docker('restart', '-t0', 'keeper'))
  expect(await addressOf(host1, 'keeper', 'fixed')).toBe('10.41.0.50')
  await ok(host1.docker('rm', '-f', 'keeper'))
})

test('routers that are killed while containers start give no address twice', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `killed${index}`)
  const starts = names.map((name, index) =>
    runContainer(index % 2 === 0 ? host1 : host2, name, { net: 'two' }).catch(() => ''),
  )
  await Promise.all([host1, host2].map((host) => kill(host, 'router')))
  await Promise.all(starts)
  // One of them takes the store along; until that answers, only addresses that a host owns are given.
  await Promise.all([host1, host2].map(awaitReady))
  const rest = Array.from({ length: 6 }, (_, index) => `after${index}`)
  for (const [index, name] of rest.entries()) {
    await runContainer(index % 2 === 0 ? host1 : host2, name, { net: 'two' })
  }
  const addresses = (
    await Promise.all([host1, host2].map((host) => addressesIn(host, 'two')))
  ).flat()
  expect(addresses.length).toBeGreaterThanOrEqual(rest.length)
  expect(new Set(addresses).size).toBe(addresses.length)
  for (const [index, name] of [...names, ...rest].entries()) {
    await (index % 2 === 0 ? host1 : host2).docker('rm', '-f', name)
  }
})

test('a network is used up to its last address by whichever host, and then refuses at once', async () => {
  await createEverywhere('small', '--subnet=10.42.0.0/28')
  const addresses: string[] = []
  for (let index = 0; index < 13; index += 1) {
    const host = index < 3 ? host2 : host1
    await runContainer(host, `small${index}`, { net: 'small' })
    addresses.push(await addressOf(host, `small${index}`, 'small'))
  }
  expect(new Set(addresses).size).toBe(13)

  const one = ['run', '--rm', '--net=small', 'busybox', 'true']
  for (const host of [host1, host2]) {
    const { code, stderr } = await host.docker(...one)
    expect(code).not.toBe(0)
    expect(stderr).toMatch(
      /no address is left in 10\.42\.0\.0\/28: of 14.*host1 has 10.*POOL_FULL/s,
    )
  }
  await ok(host1.docker('rm', '-f', 'small7'))
  await ok(host2.docker(...one))
  for (let index = 0; index < 13; index += 1) {
    await (index < 3 ? host2 : host1).docker('rm', '-f', `small${index}`)
  }
})

test('a network with two subnets goes on in the second one, and both are one network', async () => {
  await createEverywhere('wide', '--subnet=10.43.0.0/29', '--subnet=10.43.1.0/28')
  const names = Array.from({ length: 7 }, (_, index) => `wide${index}`)
  for (const [index, name] of names.entries()) {
    await runContainer(index < 4 ? host1 : host2, name, { net: 'wide' })
  }
  const last = await addressOf(host2, 'wide6', 'wide')
  expect(await addressOf(host1, 'wide0', 'wide')).toMatch(/^10\.43\.0\./)
  expect(last).toMatch(/^10\.43\.1\./)
  expect(await pings(host1, 'wide0', last)).toBe(true)
  for (const [index, name] of names.entries()) {
    await ok((index < 4 ? host1 : host2).docker('rm', '-f', name))
  }
})

test('with the store away, containers start on what their host has, unless Docker itself needs it', async () => {
  await runContainer(host2, 'before', { net: 'fixed' })
  await takeStoreAway()
  const during = ['run', '-d', '--name=during', '--net=fixed', 'ubuntu', 'sleep', '100000']
  expect((await host2.docker(...during)).code === 0).toBe(isLocal)
  await bringStoreBack()
  await host2.docker('rm', '-f', 'during')
  await runContainer(host2, 'afterwards', { net: 'fixed' })
  const address = await addressOf(host2, 'afterwards', 'fixed')
  expect(await pings(host2, 'before', address)).toBe(true)
  for (const name of ['before', 'afterwards']) await ok(host2.docker('rm', '-f', name))
})

test('with the networks, pools, blocks and files go', async () => {
  for (const name of ['one', 'two', 'fixed', 'small', 'wide']) await removeEverywhere(name)
  const isClean = await until(async () => {
    const states = await Promise.all(lab.hosts.map(readStatus))
    const files = await Promise.all(lab.hosts.map((host) => host.run('ls /var/lib/weave/ipam')))
    return (
      states.every(({ pools }) => pools.length === 0) && files.every(({ stdout }) => stdout === '')
    )
  }, 60_000)
  expect(isClean).toBe(true)
})

/** Of the whole cluster: Docker's own, or the one that the first host runs. */
async function takeStoreAway(): Promise<void> {
  if (isLocal) await ok(host1.weave('stop'))
  else await lab.store.stop()
}

async function bringStoreBack(): Promise<void> {
  if (isLocal) await ok(host1.weave('launch', '--run-as=process'))
  else await lab.store.start()
}

function create(name: string): readonly string[] {
  return ['network', 'create', '--driver=weave', '--ipam-driver=weave', name]
}

async function createEverywhere(name: string, ...args: readonly string[]): Promise<void> {
  await createNetwork(host1, name, ...args)
  await expectNetwork(lab.hosts, name)
}

async function removeEverywhere(name: string): Promise<void> {
  await removeNetwork(host1, name)
  await expectNetwork(lab.hosts, name, 'gone')
}

async function subnetOf(host: Host, network: string): Promise<string> {
  const format = '{{(index .IPAM.Config 0).Subnet}}'
  return ok(host.docker('network', 'inspect', '-f', format, network))
}

async function gatewayOf(host: Host, network: string): Promise<string> {
  const format = '{{(index .IPAM.Config 0).Gateway}}'
  return ok(host.docker('network', 'inspect', '-f', format, network))
}

async function addressesIn(host: Host, network: string): Promise<readonly string[]> {
  const names = (await ok(host.docker('ps', '--format', '{{.Names}}', '-f', `network=${network}`)))
    .split('\n')
    .filter((name) => name !== '')
  return Promise.all(names.map((name) => addressOf(host, name, network)))
}

/** Its supervisor, which has the same words on its command line and is older, starts it again. */
async function kill(host: Host, part: 'router' | 'plugin'): Promise<void> {
  await ok(host.run(['pkill', '-KILL', '-n', '-f', `dist/${part}/main.js`]))
}

async function awaitReady(host: Host): Promise<void> {
  const isReady = await until(
    async () => (await readStatus(host).catch(() => undefined))?.ready === true,
    60_000,
  )
  expect(isReady).toBe(true)
}

async function isRunning(host: Host, container: string): Promise<boolean> {
  return until(async () => {
    const { stdout } = await host.docker('inspect', '-f', '{{.State.Running}}', container)
    return stdout.trim() === 'true'
  }, 60_000)
}
