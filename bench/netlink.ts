/**
 * What the kernel's tables cost us: writing, reading and clearing 10,000 endpoints, single requests,
 * and how long the event loop stands still meanwhile. Needs root; works in a namespace of its own.
 *
 *   node --import tsx bench/netlink.ts
 */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import {
  encodeDeleteBridgeEntry,
  encodeDeleteTunnelEntry,
  encodeSetRemote,
  listForwarding,
} from '../src/netlink/forwarding.ts'
import { deleteLink, setLink } from '../src/netlink/link-change.ts'
import { createBridge, createTunnel, createVeth } from '../src/netlink/link-create.ts'
import { findLink, listLinks } from '../src/netlink/link.ts'
import type { Link } from '../src/netlink/link.ts'
import type { Request } from '../src/netlink/message.ts'
import {
  encodeDeleteNeighbour,
  encodeSetNeighbour,
  listNeighbours,
} from '../src/netlink/neighbour.ts'
import type { RouteSocket } from '../src/netlink/socket.ts'
import { createNamespace } from '../test/support/namespace.ts'
import { ip, mac } from '../test/support/values.ts'

const count = 10_000
const rounds = 5

await using space = await createNamespace('bench')
const { socket } = space
const mtuBytes = 1450
const bridgeMac = mac('0a:57:56:00:00:01')
await createBridge(socket, { name: 'br', mtuBytes, mac: bridgeMac, multicastSnooping: false })
await createTunnel(socket, { name: 'vx', mtuBytes, vni: 1, local: ip('127.0.0.1'), port: 6784 })
const bridge = await linkNamed(socket, 'br')
const tunnel = await linkNamed(socket, 'vx')
await setLink(socket, tunnel.index, { master: bridge.index, state: 'up' })
await setLink(socket, bridge.index, { state: 'up' })

const host = ip('192.0.2.2')
const endpoints = Array.from({ length: count }, (_, index) => {
  const [high, low] = [(index >> 8) & 255, index & 255]
  const hex = index.toString(16).padStart(4, '0')
  return {
    mac: mac(`02:00:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`),
    ip: ip(`10.32.${high}.${low}`),
  }
})
const writing = endpoints.flatMap((endpoint) => [
  encodeSetRemote(tunnel.index, { mac: endpoint.mac, host }),
  encodeSetNeighbour(bridge.index, endpoint),
])
const clearing = endpoints.flatMap((endpoint) => [
  encodeDeleteTunnelEntry(tunnel.index, endpoint.mac),
  encodeDeleteBridgeEntry(tunnel.index, endpoint.mac),
  encodeDeleteNeighbour(bridge.index, endpoint.ip),
])

for (let round = 1; round <= rounds; round += 1) {
  console.log(`round ${round} of ${rounds}`)
  await measure('write 10,000 endpoints', () => sendAll(socket, writing))
  await measure('write them again', () => sendAll(socket, writing))
  await measure('read both forwarding tables', () => listForwarding(socket))
  await measure('read neighbours', () => listNeighbours(socket, { link: bridge.index }))
  await measure('list links', () => listLinks(socket))
  await measure('one request, 1,000 times in a row', oneByOne)
  await measure('clear 10,000 endpoints', () => sendAll(socket, clearing))
  await createVeth(socket, { host: { name: 'h' }, container: { name: 'c' }, mtuBytes })
  await measure('delete a veth', () => deleteLink(socket, 'h'))
}

async function oneByOne(): Promise<void> {
  for (let index = 0; index < 1000; index += 1) await setLink(socket, 'br', { state: 'up' })
}

async function measure(what: string, work: () => Promise<unknown>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  await work()
  const tookMs = performance.now() - start
  delay.disable()
  const stillMs = delay.max / 1e6
  console.log(
    `  ${what.padEnd(38)} ${tookMs.toFixed(1).padStart(8)} ms, longest pause ${stillMs.toFixed(1)} ms`,
  )
}

async function sendAll(via: RouteSocket, requests: readonly Request[]): Promise<void> {
  const error = (await via.request(requests)).find((found) => found !== undefined)
  if (error !== undefined) throw error
}

async function linkNamed(via: RouteSocket, name: string): Promise<Link> {
  const link = await findLink(via, name)
  if (link === undefined) throw new Error(`no link ${name}`)
  return link
}
