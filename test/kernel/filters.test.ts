/**
 * The packet filters of one host, judged by what gets through, in both families alike.
 *
 *   stranger (192.0.2.66, fd99::66), member (192.0.2.2, fd99::2)
 *        │ under0
 *      host 192.0.2.1 ── docker0 172.17.0.1 ── container 172.17.0.2      fd99::1, fd17::1, fd17::2
 *        └── wvb000001 ── two ports, left 10.32.0.2 and right 10.32.0.3  fd32::1, fd32::2, fd32::3
 *
 * The commands under test act on the namespace they are started in, so this process moves into the
 * host's for as long as a test runs.
 */

import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DesiredFilters } from '../../src/datapath/filters.ts'
import { runPass } from '../../src/reconcile/reconcile.ts'
import { filtersTarget, removeFilters } from '../../src/targets/filters.ts'
import { createNamespace, enterNamespace } from '../support/namespace.ts'
import type { Namespace } from '../support/namespace.ts'
import { ip } from '../support/values.ts'

const never = new AbortController().signal
const dataPort = 6784
const members = ['192.0.2.1', '192.0.2.2', 'fd99::1', 'fd99::2'].map(ip)

let host: Namespace
let under: Namespace
let container: Namespace
let left: Namespace
let right: Namespace
let goHome: () => void
let desired: DesiredFilters

beforeEach(async () => {
  host = await createNamespace('host')
  under = await createNamespace('under')
  container = await createNamespace('container')
  left = await createNamespace('left')
  right = await createNamespace('right')
  for (const space of [host, under, container, left, right]) {
    // No wait for duplicates of an address, in which nothing is sent.
    await space.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0')
  }
  desired = { dataPort, controlPorts: [6783, 6785, 6786], hosts: members }
  const outside = ['192.0.2.2/24', '192.0.2.66/24', 'fd99::2/64', 'fd99::66/64']
  await cable('under0', { space: under, addresses: outside })
  await addAddresses(host, 'under0', ['192.0.2.1/24', 'fd99::1/64'])
  await bridgeWith('docker0', ['172.17.0.1/24', 'fd17::1/64'])
  const veth = { space: container, addresses: ['172.17.0.2/24', 'fd17::2/64'], master: 'docker0' }
  await cable('veth0', veth)
  await host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1')
  for (const [gateway, way, back] of [
    ['172.17.0.1', '172.17.0.0/24', '192.0.2.1'],
    ['fd17::1', 'fd17::/64', 'fd99::1'],
  ] as const) {
    await container.run('ip', 'route', 'add', 'default', 'via', gateway)
    await under.run('ip', 'route', 'add', way, 'via', back)
  }
  await bridgeWith('wvb000001', ['10.32.0.1/24', 'fd32::1/64'])
  for (const [number, space] of [
    [2, left],
    [3, right],
  ] as const) {
    const addresses = [`10.32.0.${number}/24`, `fd32::${number}/64`]
    await cable(`wvh00000000000${number}`, { space, addresses, master: 'wvb000001' })
  }
  goHome = enterNamespace(host)
})

afterEach(async () => {
  goHome()
  for (const space of [right, left, container, under, host]) await space[Symbol.asyncDispose]()
})

async function bridgeWith(name: string, addresses: readonly string[]): Promise<void> {
  await host.run('ip', 'link', 'add', name, 'type', 'bridge')
  await addAddresses(host, name, addresses)
  await host.run('ip', 'link', 'set', name, 'up')
}

async function cable(
  name: string,
  to: {
    readonly space: Namespace
    readonly addresses: readonly string[]
    readonly master?: string
  },
): Promise<void> {
  const peer = ['type', 'veth', 'peer', 'eth0', 'netns', to.space.name]
  await host.run('ip', 'link', 'add', name, ...peer)
  if (to.master !== undefined) await host.run('ip', 'link', 'set', name, 'master', to.master)
  await host.run('ip', 'link', 'set', name, 'up')
  await addAddresses(to.space, 'eth0', to.addresses)
  await to.space.run('ip', 'link', 'set', 'eth0', 'up')
}

async function addAddresses(
  space: Namespace,
  link: string,
  addresses: readonly string[],
): Promise<void> {
  for (const address of addresses) {
    await space.run('ip', 'address', 'add', address, 'dev', link)
  }
}

function target(): ReturnType<typeof filtersTarget> {
  return filtersTarget(async () => desired)
}

async function settle(filters = target()): Promise<void> {
  for (let round = 0; round < 4; round += 1) {
    const pass = await runPass(filters, never)
    if (pass.kind === 'settled') return
    if (pass.kind !== 'changed') throw new Error(`pass ${pass.kind}`, { cause: pass })
  }
  throw new Error('the filters do not settle')
}

/** Sends a datagram every few milliseconds, from inside `from`. */
const sender = `
const [source, address, port, ms] = process.argv.slice(1)
const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4')
socket.on('error', () => {})
socket.bind(0, source, () => {
  const timer = setInterval(() => socket.send('x', Number(port), address), 5)
  setTimeout(() => { clearInterval(timer); socket.close() }, Number(ms))
})`

/** Ends well when a datagram has come. */
const receiver = `
const [address, port] = process.argv.slice(1)
const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4')
socket.on('message', () => process.exit(0)).bind(Number(port), address)
setTimeout(() => process.exit(1), 1200)`

/** In both families. */
async function listen(): Promise<Socket & AsyncDisposable> {
  const socket = createSocket('udp6')
  await new Promise<void>((resolve) => {
    socket.bind(dataPort, '::', resolve)
  })
  return Object.assign(socket, {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void socket.close(() => resolve())),
  })
}

interface Sending {
  readonly from: Namespace
  readonly source: string
  readonly to: string
  readonly ms?: number
}

async function send({ from, source, to, ms = 200 }: Sending): Promise<void> {
  await from.run(process.execPath, '-e', sender, source, to, `${dataPort}`, `${ms}`)
}

/** How many datagrams reach UDP `dataPort` of the host. */
async function arrivals(sending: Sending): Promise<number> {
  await using socket = await listen()
  let count = 0
  socket.on('message', () => (count += 1))
  await send(sending)
  return count
}

const ping = ['busybox', 'ping', '-c1', '-W1'] as const
/** A neighbour that could not be asked a moment ago is asked again after a second. */
const patient = ['busybox', 'ping', '-c1', '-W3'] as const

describe.each([
  {
    family: 'IPv4',
    host1: '192.0.2.1',
    host2: '192.0.2.2',
    stranger: '192.0.2.66',
    docker: '172.17.0.1',
    container1: '172.17.0.2',
    bridge: '10.32.0.1',
    neighbour: '10.32.0.3',
  },
  {
    family: 'IPv6',
    host1: 'fd99::1',
    host2: 'fd99::2',
    stranger: 'fd99::66',
    docker: 'fd17::1',
    container1: 'fd17::2',
    bridge: 'fd32::1',
    neighbour: 'fd32::3',
  },
])('over $family', ({ host1, host2, stranger, docker, container1, bridge, neighbour }) => {
  const forged = { source: stranger, to: host1 }
  const genuine = { source: host2, to: host1 }
  const inside = { source: container1, to: docker }

  test('VXLAN is taken from hosts of the cluster only, and never from a container', async () => {
    for (const sending of [forged, genuine]) {
      expect(await arrivals({ from: under, ...sending })).toBeGreaterThan(0)
    }
    expect(await arrivals({ from: container, ...inside })).toBeGreaterThan(0)
    await settle()
    expect(await arrivals({ from: under, ...forged })).toBe(0)
    expect(await arrivals({ from: container, ...inside })).toBe(0)
    expect(await arrivals({ from: under, ...genuine })).toBeGreaterThan(0)
  })

  test('a container cannot send VXLAN to another host through this one, but anything else', async () => {
    const sending = { from: container, source: container1, to: host2 }
    async function getsThrough(): Promise<boolean> {
      const received = under.tries(process.execPath, '-e', receiver, host2, `${dataPort}`)
      await send({ ...sending, ms: 1000 })
      return await received
    }
    expect(await getsThrough()).toBe(true)
    await settle()
    expect(await getsThrough()).toBe(false)
    await container.run(...ping, host2)
  })

  test('our TCP ports answer hosts, not containers', async () => {
    expect(await connects(container, docker)).toBe(true)
    await settle()
    expect(await connects(container, docker)).toBe(false)
    expect(await connects(container, host1)).toBe(false)
    expect(await connects(container, host2)).toBe(false)
    expect(await connects(under, host1)).toBe(true)
    expect(await connects(host, docker)).toBe(true)
  })

  test('a network’s ports lead to each other and not into the host', async () => {
    expect(await left.tries(...ping, bridge)).toBe(true)
    await settle()
    await host.run('ip', 'neigh', 'flush', 'all')
    expect(await left.tries(...ping, bridge)).toBe(false)
    await left.run(...ping, neighbour)
  })
})

/** Succeeds when anybody answers at TCP 6783, were it only to refuse. */
const caller = `
require('node:net').connect(6783, process.argv[1])
  .on('connect', () => process.exit(0))
  .on('error', ({ code }) => process.exit(code === 'ECONNREFUSED' ? 0 : 1))
setTimeout(() => process.exit(1), 800)`

async function connects(from: Namespace, to: string): Promise<boolean> {
  return await from.tries(process.execPath, '-e', caller, to)
}

test.each([
  ['iptables', '10.32.0.3'],
  ['iptables-legacy', '10.32.0.3'],
  ['ip6tables', 'fd32::3'],
  ['ip6tables-legacy', 'fd32::3'],
] as const)('bridged traffic passes a FORWARD that drops, in %s', async (command, neighbour) => {
  const [protocol] = command.split('-')
  await host.run('sysctl', '-qw', `net.bridge.bridge-nf-call-${protocol}=1`)
  await host.run(command, '-P', 'FORWARD', 'DROP')
  expect(await left.tries(...ping, neighbour)).toBe(false)
  await settle()
  await left.run(...patient, neighbour)
  await left.run(...patient, '-s', '10000', neighbour)

  await host.run(command, '-F', 'FORWARD')
  expect(await left.tries(...ping, neighbour)).toBe(false)
  await settle()
  await left.run(...patient, neighbour)
  expect((await host.run(command, '-S')).match(/-j WEAVE-FORWARD/g)).toHaveLength(1)
})

const forgeries = [
  { source: '192.0.2.66', to: '192.0.2.1' },
  { source: 'fd99::66', to: 'fd99::1' },
]

test('what somebody deletes or adds is mended', async () => {
  const filters = target()
  await settle(filters)
  for (const damage of [
    ['nft', 'delete', 'table', 'inet', 'weave'],
    ['nft', 'delete', 'table', 'bridge', 'weave'],
    ['nft', 'flush', 'chain', 'inet', 'weave', 'input'],
    ['nft', 'add', 'element', 'inet', 'weave', 'hosts4', '{ 192.0.2.66 }'],
    ['nft', 'add', 'element', 'inet', 'weave', 'hosts6', '{ fd99::66 }'],
    ['iptables', '-F', 'WEAVE-FORWARD'],
    ['iptables', '-D', 'FORWARD', '-j', 'WEAVE-FORWARD'],
    ['ip6tables', '-F', 'WEAVE-FORWARD'],
    ['ip6tables', '-F'],
  ]) {
    await host.run(...damage)
    expect(await runPass(filters, never)).toMatchObject({ kind: 'changed' })
    expect(await runPass(filters, never)).toMatchObject({ kind: 'settled' })
  }
  for (const sending of forgeries) expect(await arrivals({ from: under, ...sending })).toBe(0)
})

test('while the hosts change, not one forged frame slips through', async () => {
  await using socket = await listen()
  const filters = target()
  await settle(filters)
  let count = 0
  socket.on('message', () => (count += 1))
  const floods = forgeries.map((forged) => send({ from: under, ...forged, ms: 2500 }))
  for (let round = 0; round < 10; round += 1) {
    const newcomers = [ip(`192.0.2.${100 + round}`), ip(`fd99::${100 + round}`)]
    desired = { ...desired, hosts: [...members, ...newcomers] }
    await settle(filters)
  }
  await Promise.all(floods)
  expect(count).toBe(0)
  expect(await host.run('nft', 'list', 'set', 'inet', 'weave', 'hosts4')).toContain('192.0.2.109')
})

test('a reset leaves no rule of ours, and every other one', async () => {
  await host.run('iptables', '-A', 'FORWARD', '-i', 'docker0', '-j', 'ACCEPT')
  const before = await rules()
  await settle()
  expect(await rules()).not.toBe(before)
  await removeFilters()
  await removeFilters()
  expect(await rules()).toBe(before)
  expect(await host.run('nft', 'list', 'tables')).not.toContain('weave')
})

async function rules(): Promise<string> {
  return (await host.run('iptables', '-S')) + (await host.run('ip6tables', '-S'))
}
