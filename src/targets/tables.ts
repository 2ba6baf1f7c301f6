/** Joins the plan for layer-2 tables with the kernel: see `datapath/tables.ts` for what and why. */

import { parseLinkName } from '../datapath/names.ts'
import type { Destination, Segment } from '../datapath/segment.ts'
import { planTables } from '../datapath/tables.ts'
import type { ActualTables, ActualTunnel, TableStep } from '../datapath/tables.ts'
import type { IfIndex, IpAddress, Mac } from '../model/address.ts'
import { isNetlinkError } from '../netlink/errors.ts'
import {
  encodeAddDefault,
  encodeDeleteBridgeEntry,
  encodeDeleteDefault,
  encodeDeleteTunnelEntry,
  encodeSetBridgeEntry,
  encodeSetRemote,
  listForwarding,
} from '../netlink/forwarding.ts'
import type { ForwardingEntry } from '../netlink/forwarding.ts'
import { listLinks } from '../netlink/link.ts'
import type { Link } from '../netlink/link.ts'
import type { Request } from '../netlink/message.ts'
import { encodeDeleteNeighbour, encodeSetNeighbour, listNeighbours } from '../netlink/neighbour.ts'
import type { Neighbour } from '../netlink/neighbour.ts'
import type { RouteSocket } from '../netlink/socket.ts'
import type { StepFailure, Target } from '../reconcile/reconcile.ts'

const floodMac = '00:00:00:00:00:00'

export function tablesTarget(
  socket: RouteSocket,
  desired: () => Promise<readonly Segment[]>,
): Target<readonly Segment[], ActualTables, TableStep> {
  return {
    name: 'tables',
    desired,
    observe: () => observeTables(socket),
    plan: planTables,
    apply: (steps) => takeTableSteps(socket, steps),
  }
}

async function observeTables(socket: RouteSocket): Promise<ActualTables> {
  const ours = (await listLinks(socket)).filter(({ name }) => parseLinkName(name) !== undefined)
  if (ours.length === 0) return assembleTables([], [], [])
  const forwarding = await listForwarding(socket)
  const neighbours = await listNeighbours(socket)
  return assembleTables(ours, forwarding, neighbours)
}

function assembleTables(
  ours: readonly Link[],
  forwarding: readonly ForwardingEntry[],
  neighbours: readonly Neighbour[],
): ActualTables {
  const tunnelPorts = new Map(
    ours.flatMap(({ index, vxlan }) => (vxlan ? [[index, vxlan.port]] : [])),
  )
  const indexes = new Set(ours.map(({ index }) => index))
  const ports = new Map<IfIndex, Set<Mac>>()
  const tunnels = new Map<IfIndex, MutableTunnel>()
  for (const entry of forwarding) {
    if (!indexes.has(entry.link)) continue
    if (entry.table === 'bridge') addPortMac(ports, entry)
    else addTunnelEntry(tunnels, entry, tunnelPorts.get(entry.link) ?? 0)
  }
  return {
    links: new Map(ours.map(({ name, index }) => [name, index])),
    neighbours: neighboursByLink(neighbours.filter(({ link }) => indexes.has(link))),
    ports,
    tunnels,
  }
}

interface MutableTunnel extends ActualTunnel {
  readonly hosts: Map<Mac, Destination>
  readonly flood: Destination[]
}

/** `local` entries are a port's own address, kept by the kernel; ours are static. */
function addPortMac(ports: Map<IfIndex, Set<Mac>>, { link, mac, state }: ForwardingEntry): void {
  if (state === 'local') return
  const macs = ports.get(link)
  if (macs === undefined) ports.set(link, new Set([mac]))
  else macs.add(mac)
}

function addTunnelEntry(
  tunnels: Map<IfIndex, MutableTunnel>,
  { link, mac, host, port }: ForwardingEntry,
  ownPort: number,
): void {
  if (host === undefined) return
  const tunnel = tunnels.get(link) ?? { hosts: new Map<Mac, Destination>(), flood: [] }
  tunnels.set(link, tunnel)
  const via = { address: host, port: port ?? ownPort }
  if (mac === floodMac) tunnel.flood.push(via)
  else tunnel.hosts.set(mac, via)
}

function neighboursByLink(entries: readonly Neighbour[]): Map<IfIndex, Map<IpAddress, Mac>> {
  const byLink = new Map<IfIndex, Map<IpAddress, Mac>>()
  for (const { link, ip, mac, permanent } of entries) {
    if (mac === undefined || !permanent) continue
    const table = byLink.get(link)
    if (table === undefined) byLink.set(link, new Map([[ip, mac]]))
    else table.set(ip, mac)
  }
  return byLink
}

/** All in as few system calls as possible; the kernel takes them in order. */
async function takeTableSteps(
  socket: RouteSocket,
  steps: readonly TableStep[],
): Promise<readonly StepFailure<TableStep>[]> {
  const requests = steps.flatMap((step) => requestsFor(step).map((request) => ({ step, request })))
  const errors = await socket.request(requests.map(({ request }) => request))
  return requests.flatMap(({ step }, index) => {
    const cause = errors[index]
    const gone = step.kind.startsWith('delete') && isNetlinkError(cause, 'ENOENT', 'ENODEV')
    return cause === undefined || gone ? [] : [{ step, cause }]
  })
}

function requestsFor(step: TableStep): readonly Request[] {
  switch (step.kind) {
    case 'set-remote': {
      const { tunnel, mac, via } = step
      return [encodeSetRemote(tunnel, { mac, host: via.address, port: via.port })]
    }
    case 'delete-remote':
      return [
        encodeDeleteTunnelEntry(step.tunnel, step.mac),
        encodeDeleteBridgeEntry(step.tunnel, step.mac),
      ]
    case 'add-flood':
      return [encodeAddDefault(step.tunnel, { host: step.via.address, port: step.via.port })]
    case 'delete-flood':
      return [encodeDeleteDefault(step.tunnel, { host: step.via.address, port: step.via.port })]
    case 'set-port-mac':
      return [encodeSetBridgeEntry(step.port, step.mac)]
    case 'delete-port-mac':
      return [encodeDeleteBridgeEntry(step.port, step.mac)]
    case 'set-neighbour':
      return [encodeSetNeighbour(step.bridge, { ip: step.ip, mac: step.mac })]
    case 'delete-neighbour':
      return [encodeDeleteNeighbour(step.bridge, step.ip)]
  }
}
