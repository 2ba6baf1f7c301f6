/**
 * Nodes of a swarm that all start at once, and nobody to ask: there is one cluster in the end, whoever is
 * away in between.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { readStatus } from '../support/cluster.ts'
import { createLab, ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

const backMs = 60_000

let lab: Lab

beforeAll(async () => {
  lab = await createLab({ hosts: 3, engine: '26.1', store: 'none' })
  const [first, ...others] = lab.hosts
  if (first === undefined) throw new Error('a lab without hosts')
  await Promise.all(lab.hosts.map((host) => ok(host.weave('plugin-image', '--no-enable'))))
  await ok(first.docker('swarm', 'init', `--advertise-addr=${first.ip}`))
  const token = await ok(first.docker('swarm', 'join-token', '-q', 'manager'))
  for (const host of others) {
    await ok(host.docker('swarm', 'join', `--token=${token}`, `${first.ip}:2377`))
  }
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('three managers at the same moment are one cluster, with one store', async () => {
  await enableAll()

  expect(await clusterOfAll()).toBeDefined()
  expect((await stores()).toSorted()).toEqual(['joined', 'joined', 'managed'])
})

test('a founder without its disk founds the same cluster again, and the others stay', async () => {
  const before = await clusterOfAll()
  const founder = await theFounder()
  await ok(founder.docker('plugin', 'disable', '-f', 'weave'))
  await ok(founder.run('rm -r /var/lib/weave'))
  await ok(founder.docker('plugin', 'enable', 'weave'))

  expect(await clusterOfAll()).toBe(before)
})

test('while the founder is away a newcomer waits and says for whom; then it joins', async () => {
  const before = await clusterOfAll()
  const founder = await theFounder()
  const newcomer = other(founder)
  await disableAll()
  await ok(newcomer.run('rm -r /var/lib/weave'))
  await ok(newcomer.docker('plugin', 'enable', 'weave'))

  const says = `FOUNDER_AWAY.*founded by ${founder.ip}:6783`
  expect(await until(async () => await logs(newcomer, says), backMs)).toBe(true)
  await ok(founder.docker('plugin', 'enable', 'weave'))

  await enableAll()
  expect(await clusterOfAll()).toBe(before)
})

test('a founder that the swarm has removed is waited for no more', async () => {
  const before = await clusterOfAll()
  const founder = await theFounder()
  const [second, third] = lab.hosts.filter((host) => host !== founder)
  if (second === undefined || third === undefined)
    throw new Error('a lab of fewer than three hosts')
  await disableAll()
  const node = await ok(founder.docker('info', '-f', '{{.Swarm.NodeID}}'))
  await ok(second.docker('node', 'demote', node))
  expect(await until(async () => (await founder.docker('swarm', 'leave')).code === 0, backMs)).toBe(
    true,
  )
  expect(
    await until(async () => (await second.docker('node', 'rm', '-f', node)).code === 0, backMs),
  ).toBe(true)
  for (const host of [second, third]) await ok(host.run('rm -r /var/lib/weave'))

  await Promise.all([second, third].map((host) => host.docker('plugin', 'enable', 'weave')))

  const after = await clusterOf([second, third])
  expect(after).toBeDefined()
  expect(after).not.toBe(before)
})

test('a node with the cluster of another swarm on its disk moves to the one of its swarm', async () => {
  const [second, third] = await inSwarm()
  const right = (await readStatus(second)).cluster.id
  const token = await ok(second.docker('swarm', 'join-token', '-q', 'worker'))
  const stranger = other(second, third)
  await ok(stranger.docker('swarm', 'join', `--token=${token}`, `${second.ip}:2377`))

  await ok(stranger.docker('plugin', 'enable', 'weave'))

  expect(await until(async () => logs(stranger, 'the swarm is in another cluster'), backMs)).toBe(
    true,
  )
  expect(await clusterOfAll()).toBe(right)
})

async function enableAll(): Promise<void> {
  await Promise.all(lab.hosts.map((host) => host.docker('plugin', 'enable', 'weave')))
}

async function disableAll(): Promise<void> {
  await Promise.all(lab.hosts.map((host) => ok(host.docker('plugin', 'disable', '-f', 'weave'))))
}

function clusterOfAll(): Promise<string | undefined> {
  return clusterOf(lab.hosts)
}

/** The one cluster that all of them are in, once they all see each other. */
async function clusterOf(hosts: readonly Host[]): Promise<string | undefined> {
  let found: string | undefined
  await until(async () => {
    const all = await Promise.all(hosts.map((host) => readStatus(host).catch(() => undefined)))
    const ids = new Set(all.map((one) => one?.cluster.id))
    const isComplete = all.every((one) => one?.ready === true && one.peers.length >= hosts.length)
    found = isComplete && ids.size === 1 ? [...ids][0] : undefined
    return found !== undefined
  }, backMs)
  return found
}

async function stores(): Promise<readonly string[]> {
  return Promise.all(lab.hosts.map(async (host) => (await readStatus(host)).store.kind))
}

async function theFounder(): Promise<Host> {
  const kinds = await stores()
  const founder = lab.hosts[kinds.indexOf('managed')]
  if (founder === undefined) throw new Error(`nobody has founded: ${kinds.join(', ')}`)
  return founder
}

/** The two hosts that are. */
async function inSwarm(): Promise<readonly [Host, Host]> {
  const states = await Promise.all(
    lab.hosts.map((host) => ok(host.docker('info', '-f', '{{.Swarm.LocalNodeState}}'))),
  )
  const [one, two] = lab.hosts.filter((_, index) => states[index] === 'active')
  if (one === undefined || two === undefined) throw new Error(`in the swarm: ${states.join(', ')}`)
  return [one, two]
}

function other(...than: readonly Host[]): Host {
  const found = lab.hosts.find((host) => !than.includes(host))
  if (found === undefined) throw new Error('a lab of one host')
  return found
}

/** Whether the plugin has said this in Docker's log. */
async function logs(host: Host, pattern: string): Promise<boolean> {
  return (await host.run(['grep', '-aqE', pattern, '/var/log/lab/dockerd.log'])).code === 0
}
