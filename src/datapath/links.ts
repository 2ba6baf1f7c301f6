/**
 * Decides which interfaces should exist on this host, and how they are set up.
 *
 *      container            container
 *        ethwe0               ethwe0          moved and renamed by Docker, was wvc…
 *          │ veth               │
 *        wvh…                 wvh…            ports: learning off
 *          └────── wvb… ────────┘             bridge: no address, no IPv6, floods multicast
 *                    │
 *                  wvx…                       port: learning off, answers ARP from our tables
 *                    │
 *               underlay, UDP
 *
 * Pure: compares two snapshots and returns the steps that are safe on the state just seen. A link
 * is created in one pass, put in its place in the next, brought up in a third; each step needs
 * nothing of the others in its plan, so a failed one can hurt nobody but itself.
 *
 * Invariants
 *   - Only links whose names are ours are ever touched.
 *   - A veth is made only while Docker has not taken it (`created`). Later its loss means that the
 *     container's namespace is gone: a new pair would be an interface nobody looks at.
 *   - A link that exists with another nature than ours (VNI, port, underlay address) is replaced.
 *   - Nothing that a container sends configures the host: see also the filters, which are apart from this
 *     because somebody may empty them, and an address that was taken in that moment would stay.
 */

import type { IfIndex, IpAddress, Mac } from '../model/address.ts'
import type { EndpointId, Vni } from '../model/cluster.ts'
import { bridgeName, containerEndName, hostEndName, parseLinkName, tunnelName } from './names.ts'
import type { Destination, LocalEndpoint, Segment } from './segment.ts'

export interface ActualLink {
  readonly index: IfIndex
  readonly name: string
  readonly kind: string
  readonly mtuBytes: number
  readonly up: boolean
  readonly alias?: string | undefined
  readonly master?: IfIndex | undefined
  /** Absent where the kernel's IPv6 takes no part. */
  readonly ipv6?: LinkIpv6 | undefined
  readonly vxlan?:
    | { readonly vni: number; readonly local?: IpAddress | undefined; readonly port: number }
    | undefined
  readonly port?: { readonly learning: boolean; readonly neighbourSuppression: boolean } | undefined
}

export interface LinkIpv6 {
  /** Off by `disable_ipv6`: no neighbours are kept here then. */
  readonly enabled: boolean
  /** The kernel gives it a link-local address when it is brought up: the host would join in. */
  readonly takesLinkLocal: boolean
  /** The kernel takes addresses and routes from what containers advertise. */
  readonly acceptsRouters: boolean
}

export interface DesiredLinks {
  readonly segments: readonly Segment[]
  /** Whether this process can change how a bridge takes part in IPv6. */
  readonly setsIpv6: boolean
  /** This host's own end of every tunnel. */
  readonly underlay: Destination
}

export type LinkStep =
  | { readonly kind: 'create-bridge'; readonly name: string; readonly mtuBytes: number }
  | {
      readonly kind: 'create-tunnel'
      readonly name: string
      readonly mtuBytes: number
      readonly vni: Vni
      readonly underlay: Destination
    }
  | {
      readonly kind: 'create-veth'
      readonly endpoint: EndpointId
      readonly hostEnd: string
      readonly containerEnd: string
      readonly mac: Mac
      readonly mtuBytes: number
      /** Its bridge, when that is there already: then the host's end is put into it at once. */
      readonly master: IfIndex | undefined
    }
  | {
      readonly kind: 'enslave'
      readonly link: IfIndex
      readonly name: string
      readonly master: IfIndex
    }
  | {
      readonly kind: 'set-port'
      readonly link: IfIndex
      readonly name: string
      readonly neighbourSuppression: boolean
    }
  | {
      readonly kind: 'set-mtu'
      readonly link: IfIndex
      readonly name: string
      readonly mtuBytes: number
    }
  | {
      readonly kind: 'set-ipv6'
      readonly name: string
      readonly enabled: boolean
      readonly acceptsRouters: boolean
    }
  | { readonly kind: 'deny-link-local'; readonly link: IfIndex; readonly name: string }
  | { readonly kind: 'set-up'; readonly link: IfIndex; readonly name: string }
  | Deletion

export interface Deletion {
  readonly kind: 'delete-link'
  readonly link: IfIndex
  readonly name: string
}

type ByName = ReadonlyMap<string, ActualLink>

export function planLinks(
  desired: DesiredLinks,
  actual: readonly ActualLink[],
): readonly LinkStep[] {
  const byName: ByName = new Map(actual.map((link) => [link.name, link]))
  return desired.segments.flatMap((segment) => planSegment(segment, desired, byName))
}

/** Our links that nothing explains. Apart from the others: the kernel takes its time over each. */
export function planSweep(
  { segments }: DesiredLinks,
  actual: readonly ActualLink[],
): readonly Deletion[] {
  const wanted = new Set(segments.flatMap(namesOf))
  return actual
    .filter(({ name }) => parseLinkName(name) !== undefined && !wanted.has(name))
    .map(deletion)
}

function namesOf({ vni, local }: Segment): readonly string[] {
  const ends = local.flatMap(({ id }) => [hostEndName(id), containerEndName(id)])
  return [bridgeName(vni), tunnelName(vni), ...ends]
}

function planSegment(
  segment: Segment,
  { underlay, setsIpv6 }: DesiredLinks,
  links: ByName,
): readonly LinkStep[] {
  const bridge = links.get(bridgeName(segment.vni))
  return [
    ...(setsIpv6 ? planIpv6(bridge) : []),
    ...planBridge(segment, bridge),
    ...planTunnel(segment, underlay, { links, bridge }),
    ...segment.local.flatMap((endpoint) => planVeth(endpoint, segment, { links, bridge })),
  ]
}

function planBridge({ vni, mtuBytes }: Segment, bridge: ActualLink | undefined): LinkStep[] {
  if (bridge === undefined) return [{ kind: 'create-bridge', name: bridgeName(vni), mtuBytes }]
  if (bridge.kind !== 'bridge') return [deletion(bridge)]
  return [...planMtu(bridge, mtuBytes), ...planUp(bridge)]
}

/** Not waited for by anything else: it may fail, and the network works all the same. */
function planIpv6(bridge: ActualLink | undefined): LinkStep[] {
  if (bridge?.kind !== 'bridge' || bridge.ipv6 === undefined) return []
  const { name } = bridge
  const { enabled, acceptsRouters } = bridge.ipv6
  return enabled && !acceptsRouters ? [] : [{ kind: 'set-ipv6', name, enabled, acceptsRouters }]
}

function planTunnel(
  { vni, mtuBytes }: Segment,
  underlay: Destination,
  { links, bridge }: { readonly links: ByName; readonly bridge: ActualLink | undefined },
): LinkStep[] {
  const name = tunnelName(vni)
  const tunnel = links.get(name)
  if (tunnel === undefined) return [{ kind: 'create-tunnel', name, mtuBytes, vni, underlay }]
  const { vxlan } = tunnel
  const same =
    vxlan !== undefined &&
    vxlan.vni === vni &&
    vxlan.local === underlay.address &&
    vxlan.port === underlay.port
  if (!same) return [deletion(tunnel)]
  return [...planMtu(tunnel, mtuBytes), ...planPort(tunnel, bridge, { neighbourSuppression: true })]
}

function planVeth(
  { id, mac, phase }: LocalEndpoint,
  { mtuBytes }: Segment,
  { links, bridge }: { readonly links: ByName; readonly bridge: ActualLink | undefined },
): LinkStep[] {
  const [hostEnd, containerEnd] = [hostEndName(id), containerEndName(id)]
  const port = links.get(hostEnd)
  if (port !== undefined) {
    return [...planMtu(port, mtuBytes), ...planPort(port, bridge, { neighbourSuppression: false })]
  }
  if (phase !== 'created' || links.has(containerEnd)) return []
  const master = bridge?.kind === 'bridge' ? bridge.index : undefined
  return [{ kind: 'create-veth', endpoint: id, hostEnd, containerEnd, mac, mtuBytes, master }]
}

/** A port is put into the bridge, then set up while it is still down, then brought up. */
function planPort(
  link: ActualLink,
  bridge: ActualLink | undefined,
  { neighbourSuppression }: { readonly neighbourSuppression: boolean },
): LinkStep[] {
  const { index, name, port } = link
  if (bridge?.kind !== 'bridge') return []
  if (link.master !== bridge.index)
    return [{ kind: 'enslave', link: index, name, master: bridge.index }]
  if (port === undefined || port.learning || port.neighbourSuppression !== neighbourSuppression) {
    return [{ kind: 'set-port', link: index, name, neighbourSuppression }]
  }
  return planUp(link)
}

function planMtu({ index, name, mtuBytes }: ActualLink, wanted: number): LinkStep[] {
  return mtuBytes === wanted ? [] : [{ kind: 'set-mtu', link: index, name, mtuBytes: wanted }]
}

function planUp({ index, name, up, ipv6 }: ActualLink): LinkStep[] {
  if (ipv6?.takesLinkLocal === true) return [{ kind: 'deny-link-local', link: index, name }]
  return up ? [] : [{ kind: 'set-up', link: index, name }]
}

function deletion({ index, name }: ActualLink): Deletion {
  return { kind: 'delete-link', link: index, name }
}
