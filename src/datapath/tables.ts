/**
 * Decides what the layer-2 tables of our bridges and tunnels should hold.
 *
 * Three tables work together, and they are easy to confuse:
 *
 *   neighbour table of the bridge      inner IP  → inner MAC    "who has 10.44.7.9?", answered here
 *   forwarding table of the bridge     inner MAC → port         local veth, or the tunnel
 *   forwarding table of the tunnel     inner MAC → outer IP     "which host is that MAC on?"
 *                                      00:00:…   → outer IPs    broadcast, multicast, unknown MACs
 *
 * All are filled ahead of traffic, from the store. The kernel never has to learn, flood or ask us,
 * so containers keep their connectivity while this router is stopped or upgraded; and a frame for
 * an endpoint that we have not heard of yet still goes to every host of its network.
 *
 * Pure, like `links.ts`: steps of one plan are independent, and a failed one hurts nobody else.
 *
 * Invariants
 *   - A neighbour entry is added only once the forwarding tables know its MAC.
 *   - Where the bridge has no IPv6 (an MTU below 1280, or switched off on the host), no IPv6 neighbour
 *     is tried: it would be refused for ever, and the question reaches the other hosts all the same.
 *   - The tables are ours alone: a permanent entry that nothing explains is removed. Entries that
 *     the kernel itself keeps (a port's own MAC) are not reported to us by `observe`.
 */

import { isIpv4 } from '../model/address.ts'
import type { IfIndex, IpAddress, Mac } from '../model/address.ts'
import { bridgeName, hostEndName, tunnelName } from './names.ts'
import type { Destination, Segment } from './segment.ts'

export interface ActualTables {
  /** Our links by name: bridges, and those tunnels and host ends that are ports of one already. */
  readonly links: ReadonlyMap<string, IfIndex>
  /** Bridges whose neighbour table has a place for IPv6. */
  readonly ipv6: ReadonlySet<IfIndex>
  /** By bridge. */
  readonly neighbours: ReadonlyMap<IfIndex, ReadonlyMap<IpAddress, Mac>>
  /** By port: the MACs that its bridge sends to it. */
  readonly ports: ReadonlyMap<IfIndex, ReadonlySet<Mac>>
  /** By tunnel. */
  readonly tunnels: ReadonlyMap<IfIndex, ActualTunnel>
}

export interface ActualTunnel {
  readonly hosts: ReadonlyMap<Mac, Destination>
  readonly flood: readonly Destination[]
}

export type TableStep =
  | {
      readonly kind: 'set-remote'
      readonly tunnel: IfIndex
      readonly mac: Mac
      readonly via: Destination
    }
  | { readonly kind: 'delete-remote'; readonly tunnel: IfIndex; readonly mac: Mac }
  | {
      readonly kind: 'add-flood' | 'delete-flood'
      readonly tunnel: IfIndex
      readonly via: Destination
    }
  | { readonly kind: 'set-port-mac' | 'delete-port-mac'; readonly port: IfIndex; readonly mac: Mac }
  | {
      readonly kind: 'set-neighbour'
      readonly bridge: IfIndex
      readonly ip: IpAddress
      readonly mac: Mac
    }
  | { readonly kind: 'delete-neighbour'; readonly bridge: IfIndex; readonly ip: IpAddress }

const noTunnel: ActualTunnel = { hosts: new Map(), flood: [] }
const noMacs: ReadonlySet<Mac> = new Set()

export function planTables(
  desired: readonly Segment[],
  actual: ActualTables,
): readonly TableStep[] {
  return desired.flatMap((segment) => {
    const bridge = actual.links.get(bridgeName(segment.vni))
    const tunnel = actual.links.get(tunnelName(segment.vni))
    if (bridge === undefined || tunnel === undefined) return []
    return [
      ...planRemote(segment, tunnel, actual),
      ...planFlood(segment, tunnel, actual),
      ...planLocal(segment, actual),
      ...planNeighbours(segment, { bridge, tunnel }, actual),
    ]
  })
}

function planRemote({ remote }: Segment, tunnel: IfIndex, actual: ActualTables): TableStep[] {
  const { hosts } = actual.tunnels.get(tunnel) ?? noTunnel
  const onBridge = actual.ports.get(tunnel) ?? noMacs
  const wanted = new Set(remote.map(({ mac }) => mac))
  const steps: TableStep[] = []
  for (const { mac, via } of remote) {
    if (!sameDestination(hosts.get(mac), via) || !onBridge.has(mac)) {
      steps.push({ kind: 'set-remote', tunnel, mac, via })
    }
  }
  for (const mac of hosts.keys()) {
    if (!wanted.has(mac)) steps.push({ kind: 'delete-remote', tunnel, mac })
  }
  for (const mac of onBridge) {
    if (!wanted.has(mac) && !hosts.has(mac)) steps.push({ kind: 'delete-remote', tunnel, mac })
  }
  return steps
}

function planFlood({ flood }: Segment, tunnel: IfIndex, actual: ActualTables): TableStep[] {
  const present = (actual.tunnels.get(tunnel) ?? noTunnel).flood
  return [
    ...without(flood, present).map((via): TableStep => ({ kind: 'add-flood', tunnel, via })),
    ...without(present, flood).map((via): TableStep => ({ kind: 'delete-flood', tunnel, via })),
  ]
}

function planLocal({ local }: Segment, actual: ActualTables): TableStep[] {
  return local.flatMap(({ id, mac }): TableStep[] => {
    const port = actual.links.get(hostEndName(id))
    if (port === undefined) return []
    const present = actual.ports.get(port) ?? noMacs
    const surplus = [...present].filter((other) => other !== mac)
    return [
      ...(present.has(mac) ? [] : [{ kind: 'set-port-mac', port, mac } as const]),
      ...surplus.map((other) => ({ kind: 'delete-port-mac', port, mac: other }) as const),
    ]
  })
}

function planNeighbours(
  segment: Segment,
  { bridge, tunnel }: { readonly bridge: IfIndex; readonly tunnel: IfIndex },
  actual: ActualTables,
): TableStep[] {
  const present = actual.neighbours.get(bridge) ?? new Map<IpAddress, Mac>()
  const hasIpv6 = actual.ipv6.has(bridge)
  const wanted = new Set<IpAddress>()
  const steps: TableStep[] = []
  function claim({ mac, addresses }: Claim, port: IfIndex | undefined): void {
    const known = port !== undefined && (actual.ports.get(port) ?? noMacs).has(mac)
    for (const ip of addresses) {
      if (!hasIpv6 && !isIpv4(ip)) continue
      wanted.add(ip)
      if (known && present.get(ip) !== mac) steps.push({ kind: 'set-neighbour', bridge, ip, mac })
    }
  }
  for (const endpoint of segment.remote) claim(endpoint, tunnel)
  for (const endpoint of segment.local) claim(endpoint, actual.links.get(hostEndName(endpoint.id)))
  for (const ip of present.keys()) {
    if (!wanted.has(ip)) steps.push({ kind: 'delete-neighbour', bridge, ip })
  }
  return steps
}

interface Claim {
  readonly mac: Mac
  readonly addresses: readonly IpAddress[]
}

function without(left: readonly Destination[], right: readonly Destination[]): Destination[] {
  const keys = new Set(right.map(destinationKey))
  return left.filter((via) => !keys.has(destinationKey(via)))
}

function destinationKey({ address, port }: Destination): string {
  return `${address} ${port}`
}

function sameDestination(a: Destination | undefined, b: Destination): boolean {
  return a?.address === b.address && a.port === b.port
}
