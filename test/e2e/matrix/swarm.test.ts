/**
 * The promises for a swarm: the managed plugin needs no peer, no registry and no etcd, and its networks
 * are there on every node, through all that happens to plugins and nodes.
 *
 * Nodes answer names and hand out addresses by themselves, so nothing here is about those two alone.
 */

import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addressOf,
  fetchText,
  ourLinks,
  pings,
  readStatus,
  runContainer,
} from '../../support/cluster.ts'
import { lostWhile } from '../../support/flow.ts'
import { createLab, ok, until } from '../../support/lab/lab.ts'
import type { Host, Lab, Outcome } from '../../support/lab/lab.ts'
import { currentMode } from '../../support/mode.ts'

const network = ['network', 'create', '--driver=weave:latest', '--attachable']
const unharmed = { lost: 0, broken: false }
const backMs = 45_000

let lab: Lab
let host1: Host
let host2: Host

beforeAll(async () => {
  lab = await createLab({ hosts: 2, engine: currentMode().engine, store: 'none' })
  host1 = lab.host(1)
  host2 = lab.host(2)
  // Before there is a swarm: both start without anybody to ask, and at the same moment.
  await Promise.all([host1, host2].map((host) => ok(host.weave('plugin-image'))))
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('without a swarm, a call says what the plugin waits for', async () => {
  const { code, stderr } = await host1.docker('network', 'create', '--driver=weave:latest', 'early')

  expect(code).not.toBe(0)
  expect(stderr).toMatch(/NOT_IN_SWARM|not a swarm manager/)
  expect((await host1.weave('status')).stderr).toContain('docker swarm init')
})

test('nodes find each other, and are one cluster', async () => {
  await ok(host1.docker('swarm', 'init', `--advertise-addr=${host1.ip}`))
  await join(host2)

  await ready(host2)
  expect(await until(async () => (await ready(host1)).peers.length === 2, backMs)).toBe(true)
  const [one, two] = [await ready(host1), await ready(host2)]
  expect(two.cluster.id).toBe(one.cluster.id)
  expect([one.store.kind, two.store.kind]).toEqual(['managed', 'joined'])
  expect([one.host.address, two.host.address]).toEqual([host1.ip, host2.ip])
})

describe('a network', () => {
  beforeAll(async () => {
    const options = ['--subnet=10.44.0.0/16', '-o', 'works.weave.multicast=true']
    await ok(host1.docker(...network, ...options, 'weave'))
    await runContainer(host1, 'left')
    await runContainer(host2, 'right')
  })

  test('connects containers on two nodes, by name and by address', async () => {
    // Docker's nodes tell each other the names, in their own time.
    expect(await until(() => pings(host1, 'left', 'right', '-s', '10000'), backMs)).toBe(true)
    expect(await until(() => pings(host2, 'right', 'left'), backMs)).toBe(true)
    expect(await pings(host1, 'left', await addressOf(host2, 'right'))).toBe(true)
  })

  test('has its options on a node that was only told of it', async () => {
    const routes = await ok(host2.docker('exec', 'right', 'ip', 'route'))

    expect(routes).toContain('224.0.0.0/4 dev ethwe0')
  })

  test('carries a service whose tasks run on both nodes', async () => {
    const served = 'mkdir /www; hostname >/www/index.html; exec httpd -f -h /www'
    const placed = ['--endpoint-mode=dnsrr', '--replicas=2', '--stop-signal=KILL']
    const flags = ['-d', '--name=web', '--network=weave', ...placed]
    await ok(host1.docker('service', 'create', ...flags, 'ubuntu', 'sh', '-c', served))

    for (const [host, container] of [
      [host1, 'left'],
      [host2, 'right'],
    ] as const) {
      const answers = new Set<string>()
      const bothAnswer = await until(async () => {
        answers.add(await fetchText(host, container, 'http://web/').catch(() => ''))
        answers.delete('')
        return answers.size === 2
      }, backMs)
      expect(bothAnswer).toBe(true)
    }
  })

  test('stays when the last container of a node leaves it', async () => {
    await ok(host1.docker('service', 'rm', 'web'))
    await ok(host2.docker('rm', '-f', 'right'))
    expect(await until(async () => (await ourLinks(host2)).length === 0, backMs)).toBe(true)

    expect((await readStatus(host1)).networks).toHaveLength(1)
    await runContainer(host2, 'right')
    expect(await until(() => pings(host2, 'right', 'left'), backMs)).toBe(true)
  })
})

describe('running traffic loses nothing while the plugin is', () => {
  test('disabled and enabled, on both nodes', async () => {
    const losses = await lostWhile(leftToRight(), async () => {
      for (const host of [host1, host2]) await ok(host.docker('plugin', 'disable', '-f', 'weave'))
      for (const host of [host1, host2]) await ok(host.docker('plugin', 'enable', 'weave'))
      for (const host of [host1, host2]) await ready(host)
    })

    expect(losses).toEqual(unharmed)
  })

  test('replaced by a new one, on both nodes; settings and identity stay', async () => {
    await ok(host2.docker('plugin', 'disable', '-f', 'weave'))
    await ok(host2.docker('plugin', 'set', 'weave', 'WEAVE_NICKNAME=second'))
    await ok(host2.docker('plugin', 'enable', 'weave'))
    const before = [(await ready(host1)).host.id, (await ready(host2)).host.id]

    const losses = await lostWhile(leftToRight(), async () => {
      for (const host of [host1, host2]) await ok(host.weave('plugin-image'))
      for (const host of [host1, host2]) await ready(host)
    })

    expect(losses).toEqual(unharmed)
    expect([(await ready(host1)).host.id, (await ready(host2)).host.id]).toEqual(before)
    expect((await ready(host2)).host.nickname).toBe('second')
    await expectNewcomersToConnect()
  }, 240_000)

  test('killed, and started again by Docker', async () => {
    const losses = await lostWhile(leftToRight(), async () => {
      for (const host of [host1, host2]) {
        const { startedAt } = (await ready(host)).host
        await ok(host.run("pkill -9 -f '^/usr/local/bin/node .*/managed/main.js'"))
        const isBack = await until(
          async () => (await ready(host)).host.startedAt !== startedAt,
          backMs,
        )
        expect(isBack).toBe(true)
      }
    })

    expect(losses).toEqual(unharmed)
  })
})

test('a wrong setting is named by the call that suffers from it, and nothing else does', async () => {
  await ok(host2.docker('plugin', 'disable', '-f', 'weave'))
  await ok(host2.docker('plugin', 'set', 'weave', 'WEAVE_MTU=15oo'))
  await ok(host2.docker('plugin', 'enable', 'weave'))

  const { code, stderr } = await host2.docker('run', '--rm', '--net=weave', 'ubuntu', 'true')
  expect(code).not.toBe(0)
  expect(stderr).toContain('WEAVE_MTU of the plugin: "15oo"')
  expect(await pings(host1, 'left', await addressOf(host2, 'right'))).toBe(true)

  await ok(host2.docker('plugin', 'disable', '-f', 'weave'))
  await ok(host2.docker('plugin', 'set', 'weave', 'WEAVE_MTU='))
  await ok(host2.docker('plugin', 'enable', 'weave'))
  await ready(host2)
  await expectNewcomersToConnect()
})

test('commands that would end the router say what ends the plugin', async () => {
  for (const command of [['stop'], ['reset', '--force']]) {
    const { code, stderr } = await host1.weave(...command)
    expect(code).toBe(75)
    expect(stderr).toContain('docker plugin disable')
  }
  expect((await host1.weave('launch')).stderr).toContain('ALREADY_RUNNING')
})

test('a node that leaves the swarm takes nothing from the others, and is back when it joins', async () => {
  const { id } = (await ready(host2)).host
  const node = await ok(host2.docker('info', '-f', '{{.Swarm.NodeID}}'))
  await ok(host2.docker('swarm', 'leave'))
  expect(await until(async () => (await ourLinks(host2)).length === 0, backMs)).toBe(true)
  expect((await readStatus(host1)).networks).toHaveLength(1)
  await ok(host2.docker('rm', '-f', 'right'))
  // Under its old ID, or swarm counts on its containers for ever.
  expect(await succeeds(() => host1.docker('node', 'rm', '-f', node))).toBe(true)

  await join(host2)

  expect((await ready(host2)).host.id).toBe(id)
  await runContainer(host2, 'right')
  expect(await until(() => pings(host1, 'left', 'right'), backMs)).toBe(true)
  expect(await until(() => pings(host2, 'right', 'left'), backMs)).toBe(true)
})

test('a removed network is gone from the store, and a removed plugin from its host', async () => {
  await ok(host1.docker('rm', '-f', 'left'))
  await ok(host2.docker('rm', '-f', 'right'))
  expect(await until(async () => (await readStatus(host1)).endpoints.length === 0, backMs)).toBe(
    true,
  )
  expect(await succeeds(() => host1.docker('network', 'rm', 'weave'))).toBe(true)
  expect(await until(async () => (await readStatus(host2)).networks.length === 0, backMs)).toBe(
    true,
  )

  for (const host of [host2, host1]) {
    await ok(host.docker('plugin', 'disable', '-f', 'weave'))
    await ok(host.docker('plugin', 'rm', '-f', 'weave'))
    await ok(host.weave('reset', '--force'))
    expect(await ourLinks(host)).toEqual([])
    expect(await ok(host.run('nft list tables'))).not.toContain('weave')
    for (const place of ['/var/lib/weave', '/run/weave']) {
      expect(existsSync(host.path(place))).toBe(false)
    }
  }
  expect(await ok(host1.docker('config', 'ls', '-q'))).toBe('')
})

function leftToRight(): Parameters<typeof lostWhile>[0] {
  return { from: host1, container: 'left', to: host2, server: 'right' }
}

async function join(host: Host): Promise<void> {
  const token = await ok(host1.docker('swarm', 'join-token', '-q', 'worker'))
  await ok(host.docker('swarm', 'join', `--token=${token}`, `${host1.ip}:2377`))
}

/** In the end: swarm takes its time to notice that something is gone. */
function succeeds(command: () => Promise<Outcome>): Promise<boolean> {
  return until(async () => (await command()).code === 0, backMs)
}

async function ready(host: Host): ReturnType<typeof readStatus> {
  const isReady = await until(
    async () => (await readStatus(host).catch(() => undefined))?.ready === true,
    backMs,
  )
  if (!isReady) throw new Error(`the router of ${host.name} is not ready`)
  return readStatus(host)
}

/** Containers that start now reach those that ran before, on both nodes. */
async function expectNewcomersToConnect(): Promise<void> {
  for (const [host, other] of [
    [host1, 'right'],
    [host2, 'left'],
  ] as const) {
    await ok(host.docker('run', '--rm', '--net=weave', 'ubuntu', 'ping', '-c1', '-W2', other))
  }
}
