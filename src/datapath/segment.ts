/**
 * What the data plane needs to know, boiled down from the cluster's records: for each network that
 * has a container here, who is here, who is elsewhere, and where broadcasts go.
 *
 * Networks without a local endpoint do not appear at all, so they cost nothing. Neither do hosts of the
 * other IP family: a tunnel has one family, and the kernel would refuse their entries for ever.
 *
 * Two live claims to one address or one MAC can exist for a moment (an endpoint that moved, a host
 * that died and was replaced). The table holds one answer: our own endpoint first, then the newest.
 */

import { familyOf } from '../model/address.ts'
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
  readonly self: Pick<Host, 'id' | 'address'>
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

/** What the other hosts have published about one network, ready to be joined with what is here. */
export interface Elsewhere {
  readonly claims: readonly Claim[]
  readonly flood: readonly Destination[]
  /** Who has a MAC or an address: the newest claim, where there are several. */
  readonly holders: ReadonlyMap<string, Claim>
  readonly isContested: boolean
}

export interface Claim extends RemoteEndpoint {
  readonly revision: bigint
}

/** The costly part: once for each news of the cluster, not for each container that starts here. */
export function gatherElsewhere(network: NetworkId, cluster: ClusterFacts): Elsewhere {
  const claims: Claim[] = []
  const flood = new Map<HostId, Destination>()
  const holders = new Map<string, Claim>()
  let isContested = false
  const { self } = cluster
  for (const { value, revision } of cluster.endpointsIn(network)) {
    const host = cluster.hosts.get(value.host)
    if (host === undefined || host.id === self.id || !reaches(self, host)) continue
    const via = flood.get(host.id) ?? destination(host)
    flood.set(host.id, via)
    const claim = { mac: value.mac, addresses: value.addresses, via, revision }
    claims.push(claim)
    for (const what of [claim.mac, ...claim.addresses]) {
      const holder = holders.get(what)
      isContested ||= holder !== undefined
      if (holder === undefined || holder.revision < revision) holders.set(what, claim)
    }
  }
  return { claims, flood: [...flood.values()], holders, isContested }
}

/** Completes a segment. The newest claim keeps a contested MAC or address; ours are not contested. */
export function addRemote(segment: Segment, elsewhere: Elsewhere): Segment {
  const { claims, flood, holders } = elsewhere
  const ours = new Set<string>(segment.local.flatMap(({ mac, addresses }) => [mac, ...addresses]))
  const isContested = elsewhere.isContested || [...ours].some((what) => holders.has(what))
  if (!isContested) return { ...segment, remote: claims, flood }
  const remote = claims
    .filter((claim) => holders.get(claim.mac) === claim && !ours.has(claim.mac))
    .map(({ mac, addresses, via }) => ({
      mac,
      addresses: addresses.filter((ip) => !ours.has(ip) && holders.get(ip)?.mac === mac),
      via,
    }))
  return { ...segment, remote, flood }
}

/** Whether a tunnel of one host can lead to the other. */
export function reaches(self: Pick<Host, 'address'>, other: Pick<Host, 'address'>): boolean {
  return familyOf(self.address) === familyOf(other.address)
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
