/**
 * The packet filters of one host, judged by what gets through.
 *
 *   stranger (192.0.2.66), member (192.0.2.2)
 *        │ under0
 *      host 192.0.2.1 ── docker0 172.17.0.1 ── container 172.17.0.2
 *        └── wvb000001 ── two ports, left 10.32.0.2 and right 10.32.0.3
 *
 * The commands under test act on the namespace they are started in, so this process moves into the
 * host's for as long as a test runs.
 */

import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { closeSync, openSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DesiredFilters } from '../../src/datapath/filters.ts'
import { setns } from '../../src/netlink/libc.ts'
import { runPass } from '../../src/reconcile/reconcile.ts'
import { filtersTarget, removeFilters } from '../../src/targets/filters.ts'
import { createNamespace } from '../support/namespace.ts'
import type { Namespace } from '../support/namespace.ts'
import { ip } from '../support/values.ts'

const CLONE_NEWNET = 0x40000000
const never = new AbortController().signal
const dataPort = 6784
const members = [ip('192.0.2.1'), ip('192.0.2.2')]

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
  desired = { dataPort, controlPorts: [6783, 6785, 6786], hosts: members }
  await cable('under0', { space: under, addresses: ['192.0.2.2/24', '192.0.2.66/24'] })
  await host.run('ip', 'address', 'add', '192.0.2.1/24', 'dev', 'under0')
  await bridgeWith('docker0', '172.17.0.1/24')
  await cable('veth0', { space: container, addresses: ['172.17.0.2/24'], master: 'docker0' })
  await container.run('ip', 'route', 'add', 'default', 'via', '172.17.0.1')
  await host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1')
  await under.run('ip', 'route', 'add', '172.17.0.0/24', 'via', '192.0.2.1')
  await bridgeWith('wvb000001', '10.32.0.1/24')
  await cable('wvh000000000001', { space: left, addresses: ['10.32.0.2/24'], master: 'wvb000001' })
  await cable('wvh000000000002', { space: right, addresses: ['10.32.0.3/24'], master: 'wvb000001' })
  goHome = enter(host)
})

afterEach(async () => {
  goHome()
  for (const space of [right, left, container, under, host]) await space[Symbol.asyncDispose]()
})

async function bridgeWith(name: string, address: string): Promise<void> {
  await host.run('ip', 'link', 'add', name, 'type', 'bridge')
  await host.run('ip', 'address', 'add', address, 'dev', name)
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
  for (const address of to.addresses) {
    await to.space.run('ip', 'address', 'add', address, 'dev', 'eth0')
  }
  await to.space.run('ip', 'link', 'set', 'eth0', 'up')
}

/** Moves this thread, and with it every program it starts and every socket it opens. */
function enter({ name }: Namespace): () => void {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  const away = openSync(`/run/netns/${name}`, 'r')
  setns(away, CLONE_NEWNET)
  closeSync(away)
  return () => {
    setns(home, CLONE_NEWNET)
    closeSync(home)
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
const socket = require('node:dgram').createSocket('udp4')
socket.on('error', () => {})
socket.bind(0, source, () => {
  const timer = setInterval(() => socket.send('x', Number(port), address), 5)
  setTimeout(() => { clearInterval(timer); socket.close() }, Number(ms))
})`

/** Ends well when a datagram has come. */
const receiver = `
const [address, port] = process.argv.slice(1)
const socket = require('node:dgram').createSocket('udp4')
socket.on('message', () => process.exit(0)).bind(Number(port), address)
setTimeout(() => process.exit(1), 1200)`

async function listen(): Promise<Socket & AsyncDisposable> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => {
    socket.bind(dataPort, '0.0.0.0', resolve)
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

const forged = { source: '192.0.2.66', to: '192.0.2.1' }
const genuine = { source: '192.0.2.2', to: '192.0.2.1' }
const inside = { source: '172.17.0.2', to: '172.17.0.1' }

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
  const sending = { from: container, source: '172.17.0.2', to: '192.0.2.2' }
  async function getsThrough(): Promise<boolean> {
    const received = under.tries(process.execPath, '-e', receiver, '192.0.2.2', `${dataPort}`)
    await send({ ...sending, ms: 1000 })
    return await received
  }
  expect(await getsThrough()).toBe(true)
  await settle()
  expect(await getsThrough()).toBe(false)
  await container.run('busybox', 'ping', '-c1', '-W2', '192.0.2.2')
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

test('our TCP ports answer hosts, not containers', async () => {
  expect(await connects(container, '172.17.0.1')).toBe(true)
  await settle()
  expect(await connects(container, '172.17.0.1')).toBe(false)
  expect(await connects(container, '192.0.2.1')).toBe(false)
  expect(await connects(container, '192.0.2.2')).toBe(false)
  expect(await connects(under, '192.0.2.1')).toBe(true)
  expect(await connects(host, '172.17.0.1')).toBe(true)
})

test('a network’s ports lead to each other and not into the host', async () => {
  const ping = ['busybox', 'ping', '-c1', '-W1']
  expect(await left.tries(...ping, '10.32.0.1')).toBe(true)
  await settle()
  await host.run('ip', 'neigh', 'flush', 'all')
  expect(await left.tries(...ping, '10.32.0.1')).toBe(false)
  await left.run(...ping, '10.32.0.3')
})

test.each(['iptables', 'iptables-legacy'])(
  'bridged traffic passes a FORWARD that drops, in %s',
  async (command) => {
    const ping = ['busybox', 'ping', '-c1', '-W1', '10.32.0.3']
    await host.run('sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=1')
    await host.run(command, '-P', 'FORWARD', 'DROP')
    expect(await left.tries(...ping)).toBe(false)
    await settle()
    await left.run(...ping)

    await host.run(command, '-F', 'FORWARD')
    expect(await left.tries(...ping)).toBe(false)
    await settle()
    await left.run(...ping)
    expect((await host.run(command, '-S')).match(/-j WEAVE-FORWARD/g)).toHaveLength(1)
  },
)

test('what somebody deletes or adds is mended', async () => {
  const filters = target()
  await settle(filters)
  for (const damage of [
    ['nft', 'delete', 'table', 'inet', 'weave'],
    ['nft', 'delete', 'table', 'bridge', 'weave'],
    ['nft', 'flush', 'chain', 'inet', 'weave', 'input'],
    ['nft', 'add', 'element', 'inet', 'weave', 'hosts4', '{ 192.0.2.66 }'],
    ['iptables', '-F', 'WEAVE-FORWARD'],
    ['iptables', '-D', 'FORWARD', '-j', 'WEAVE-FORWARD'],
    ['ip6tables', '-F'],
  ]) {
    await host.run(...damage)
    expect(await runPass(filters, never)).toMatchObject({ kind: 'changed' })
    expect(await runPass(filters, never)).toMatchObject({ kind: 'settled' })
  }
  expect(await arrivals({ from: under, ...forged })).toBe(0)
})

test('while the hosts change, not one forged frame slips through', async () => {
  await using socket = await listen()
  const filters = target()
  await settle(filters)
  let count = 0
  socket.on('message', () => (count += 1))
  const flood = send({ from: under, ...forged, ms: 2500 })
  for (let round = 0; round < 10; round += 1) {
    desired = { ...desired, hosts: [...members, ip(`192.0.2.${100 + round}`), ip('fd00::2')] }
    await settle(filters)
  }
  await flood
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
