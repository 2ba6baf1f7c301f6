/**
 * What the data plane needs to know, boiled down from the cluster's records: for each network that
 * has a container here, who is here, who is elsewhere, and where broadcasts go.
 *
 * Networks without a local endpoint do not appear at all, so they cost nothing.
 *
 * Two live claims to one address or one MAC can exist for a moment (an endpoint that moved, a host
 * that died and was replaced). The table holds one answer: our own endpoint first, then the newest.
 */

import type { IpAddress, Mac } from '../model/address.ts'
import type {
  Endpoint,
  EndpointId,
  Host,
  HostId,
  Network,
  NetworkId,
  Vni,
} from '../model/cluster.ts'

export interface LocalEndpoint {
  readonly id: EndpointId
  readonly network: NetworkId
  readonly mac: Mac
  readonly addresses: readonly IpAddress[]
  /** `created` until Docker has taken the interface, `left` once it has given it back. */
  readonly phase: 'created' | 'joined' | 'left'
}

/** Where a VXLAN packet is sent. */
export interface Destination {
  readonly address: IpAddress
  readonly port: number
}

export interface RemoteEndpoint {
  readonly mac: Mac
  readonly addresses: readonly IpAddress[]
  readonly via: Destination
}

export interface Segment {
  readonly network: NetworkId
  readonly vni: Vni
  readonly mtuBytes: number
  readonly local: readonly LocalEndpoint[]
  readonly remote: readonly RemoteEndpoint[]
  /** One per other host with an endpoint in this network: copies of broadcasts go here. */
  readonly flood: readonly Destination[]
}

/** A record and when it was written; a bigger revision is later. */
export interface Dated<T> {
  readonly value: T
  readonly revision: bigint
}

export interface ClusterFacts {
  readonly self: HostId
  readonly hosts: ReadonlyMap<HostId, Host>
  readonly endpointsIn: (network: NetworkId) => Iterable<Dated<Endpoint>>
}

export interface LocalFacts {
  readonly networks: ReadonlyMap<NetworkId, Network>
  readonly endpoints: Iterable<LocalEndpoint>
  /** What one underlay packet carries after encapsulation. */
  readonly mtuBytes: number
}

/** The part that this host knows by itself: enough for links, and for starting containers. */
export function localSegments({ networks, endpoints, mtuBytes }: LocalFacts): readonly Segment[] {
  return [...groupByNetwork(endpoints)].flatMap(([id, local]) => {
    const network = networks.get(id)
    if (network === undefined) return []
    const mtu = Math.min(network.mtuBytes ?? mtuBytes, mtuBytes)
    return [{ network: id, vni: network.vni, mtuBytes: mtu, local, remote: [], flood: [] }]
  })
}

/** Completes a segment with what the other hosts have published. */
export function addRemote(segment: Segment, cluster: ClusterFacts): Segment {
  const claims: Claim[] = []
  const flood = new Map<HostId, Destination>()
  for (const { value, revision } of cluster.endpointsIn(segment.network)) {
    const host = cluster.hosts.get(value.host)
    if (host === undefined || host.id === cluster.self) continue
    const via = flood.get(host.id) ?? destination(host)
    flood.set(host.id, via)
    claims.push({ mac: value.mac, addresses: value.addresses, via, revision })
  }
  return { ...segment, remote: settleClaims(segment.local, claims), flood: [...flood.values()] }
}

interface Claim extends RemoteEndpoint {
  readonly revision: bigint
}

/** The newest claim keeps a contested MAC or address; what is ours is not contested. */
function settleClaims(
  local: readonly LocalEndpoint[],
  claims: readonly Claim[],
): readonly RemoteEndpoint[] {
  const ours = new Set<string>(local.flatMap(({ mac, addresses }) => [mac, ...addresses]))
  const holders = new Map<string, Claim>()
  let isContested = false
  for (const claim of claims) {
    for (const what of [claim.mac, ...claim.addresses]) {
      const holder = holders.get(what)
      isContested ||= holder !== undefined || ours.has(what)
      if (holder === undefined || holder.revision < claim.revision) holders.set(what, claim)
    }
  }
  if (!isContested) return claims
  return claims
    .filter((claim) => holders.get(claim.mac) === claim && !ours.has(claim.mac))
    .map(({ mac, addresses, via }) => ({
      mac,
      addresses: addresses.filter((ip) => !ours.has(ip) && holders.get(ip)?.mac === mac),
      via,
    }))
}

function destination({ address, dataPort }: Host): Destination {
  return { address, port: dataPort }
}

function groupByNetwork(
  endpoints: Iterable<LocalEndpoint>,
): ReadonlyMap<NetworkId, readonly LocalEndpoint[]> {
  const groups = new Map<NetworkId, LocalEndpoint[]>()
  for (const endpoint of endpoints) {
    const group = groups.get(endpoint.network)
    if (group === undefined) groups.set(endpoint.network, [endpoint])
    else group.push(endpoint)
  }
  return groups
}
