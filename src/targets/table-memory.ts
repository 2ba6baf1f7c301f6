/**
 * What our layer-2 tables hold, without reading tens of thousands of entries for each change.
 *
 * After one full reading the tables are as we left them, so our own steps are noted down instead of
 * read back. Whatever else may have happened makes the memory worthless, and the next look is a full
 * one again: a failed step, news from the kernel that is not an echo of our steps, and time.
 *
 * Links are read every time; they are few, and entries of a link that has gone went with it.
 */

import { parseLinkName } from '../datapath/names.ts'
import type { Destination } from '../datapath/segment.ts'
import type { ActualTables, ActualTunnel, TableStep } from '../datapath/tables.ts'
import type { IfIndex, IpAddress, Mac } from '../model/address.ts'
import { listForwarding } from '../netlink/forwarding.ts'
import type { ForwardingEntry } from '../netlink/forwarding.ts'
import { listLinks } from '../netlink/link.ts'
import type { Link } from '../netlink/link.ts'
import { listNeighbours } from '../netlink/neighbour.ts'
import type { Neighbour } from '../netlink/neighbour.ts'
import type { RouteSocket } from '../netlink/socket.ts'

export interface TableMemory {
  readonly look: () => Promise<ActualTables>
  /** These steps have just been taken, all of them. */
  readonly note: (steps: readonly TableStep[]) => void
  /** The next look reads everything. */
  readonly distrust: () => void
  /**
   * The kernel says that something has changed at these links. True when one is ours, and it was
   * somebody else's doing as far as one can tell: then a look is worth it.
   */
  readonly hear: (links: ReadonlySet<number> | 'any') => boolean
}

interface Tables {
  readonly neighbours: Map<IfIndex, Map<IpAddress, Mac>>
  readonly ports: Map<IfIndex, Set<Mac>>
  readonly tunnels: Map<IfIndex, Tunnel>
}

interface Tunnel extends ActualTunnel {
  readonly hosts: Map<Mac, Destination>
  readonly flood: Destination[]
}

/** News this soon after our own steps are taken for their echo; the slow look finds the rest. */
const echoMs = 500
/** Somebody who changes one entry without the kernel's telling us is found after this time. */
const trustMs = 20_000

const floodMac = '00:00:00:00:00:00'

export function createTableMemory(socket: RouteSocket, now: () => number): TableMemory {
  let known: { readonly tables: Tables; readonly sinceMs: number } | undefined
  let own: ReadonlySet<number> = new Set()
  let notedMs = -Infinity

  async function read(ours: readonly Link[]): Promise<Tables> {
    if (ours.length === 0) return emptyTables()
    const forwarding = await listForwarding(socket)
    return assemble(ours, forwarding, await listNeighbours(socket))
  }

  return {
    async look() {
      const links = (await listLinks(socket)).filter(
        ({ name }) => parseLinkName(name) !== undefined,
      )
      if (known === undefined || now() - known.sinceMs > trustMs) {
        known = { tables: await read(links), sinceMs: now() }
      }
      const { tables } = known
      own = new Set(links.map(({ index }) => index))
      const placed = links.filter(isPlaced)
      forgetGone(tables, new Set(placed.map(({ index }) => index)))
      return {
        links: new Map(placed.map(({ name, index }) => [name, index])),
        ipv6: new Set(placed.filter(hasIpv6).map(({ index }) => index)),
        ...tables,
      }
    },
    note(steps) {
      notedMs = now()
      for (const step of steps) if (known !== undefined) noteStep(known.tables, step)
    },
    distrust() {
      known = undefined
    },
    hear(links) {
      if (now() - notedMs <= echoMs || !concernsUs(links, own)) return false
      known = undefined
      return true
    },
  }
}

/**
 * A tunnel or a host end is a bridge's port. Before that the bridge has no place for its entries, and
 * the kernel drops its half of a request for both tables without a word.
 */
function isPlaced({ name, master }: Link): boolean {
  return parseLinkName(name)?.kind === 'bridge' || master !== undefined
}

function hasIpv6({ ipv6 }: Link): boolean {
  return ipv6?.enabled === true
}

function concernsUs(links: ReadonlySet<number> | 'any', own: ReadonlySet<number>): boolean {
  return links === 'any' || [...links].some((link) => own.has(link))
}

function emptyTables(): Tables {
  return { neighbours: new Map(), ports: new Map(), tunnels: new Map() }
}

function assemble(
  ours: readonly Link[],
  forwarding: readonly ForwardingEntry[],
  neighbours: readonly Neighbour[],
): Tables {
  const tables = emptyTables()
  const ownPorts = new Map(ours.map(({ index, vxlan }) => [index, vxlan?.port ?? 0]))
  for (const entry of forwarding) {
    const ownPort = ownPorts.get(entry.link)
    if (ownPort === undefined) continue
    if (entry.table === 'tunnel') addTunnelEntry(tables, entry, ownPort)
    // A port's own address is kept by the kernel; ours are static.
    else if (entry.state !== 'local') macsOf(tables, entry.link).add(entry.mac)
  }
  for (const { link, ip, mac, permanent } of neighbours) {
    if (ownPorts.has(link) && permanent && mac !== undefined)
      neighboursOf(tables, link).set(ip, mac)
  }
  return tables
}

function addTunnelEntry(
  tables: Tables,
  { link, mac, host, port }: ForwardingEntry,
  ownPort: number,
): void {
  if (host === undefined) return
  const via = { address: host, port: port ?? ownPort }
  const { hosts, flood } = tunnelOf(tables, link)
  if (mac === floodMac) flood.push(via)
  else hosts.set(mac, via)
}

function noteStep(tables: Tables, step: TableStep): void {
  switch (step.kind) {
    case 'set-remote':
      tunnelOf(tables, step.tunnel).hosts.set(step.mac, step.via)
      macsOf(tables, step.tunnel).add(step.mac)
      return
    case 'delete-remote':
      tunnelOf(tables, step.tunnel).hosts.delete(step.mac)
      macsOf(tables, step.tunnel).delete(step.mac)
      return
    case 'add-flood':
      tunnelOf(tables, step.tunnel).flood.push(step.via)
      return
    case 'delete-flood':
      removeFlood(tunnelOf(tables, step.tunnel).flood, step.via)
      return
    case 'set-port-mac':
      // A bridge knows a MAC at one port only: setting it here takes it from any other.
      macsOf(tables, step.port).add(step.mac)
      return
    case 'delete-port-mac':
      macsOf(tables, step.port).delete(step.mac)
      return
    case 'set-neighbour':
      neighboursOf(tables, step.bridge).set(step.ip, step.mac)
      return
    case 'delete-neighbour':
      neighboursOf(tables, step.bridge).delete(step.ip)
  }
}

function removeFlood(flood: Destination[], via: Destination): void {
  const at = flood.findIndex(({ address, port }) => address === via.address && port === via.port)
  if (at >= 0) flood.splice(at, 1)
}

function forgetGone({ neighbours, ports, tunnels }: Tables, present: ReadonlySet<IfIndex>): void {
  for (const table of [neighbours, ports, tunnels]) {
    for (const link of table.keys()) if (!present.has(link)) table.delete(link)
  }
}

function neighboursOf({ neighbours }: Tables, link: IfIndex): Map<IpAddress, Mac> {
  return getOrAdd(neighbours, link, () => new Map())
}

function macsOf({ ports }: Tables, link: IfIndex): Set<Mac> {
  return getOrAdd(ports, link, () => new Set())
}

function tunnelOf({ tunnels }: Tables, link: IfIndex): Tunnel {
  return getOrAdd(tunnels, link, () => ({ hosts: new Map(), flood: [] }))
}

function getOrAdd<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const present = map.get(key)
  if (present !== undefined) return present
  const made = make()
  map.set(key, made)
  return made
}
