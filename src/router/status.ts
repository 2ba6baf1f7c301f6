/** Renders everything the router knows as the reply to `weave status`. Pure. */

import type { Status } from '../control/messages.ts'
import { bridgeName, hostEndName, tunnelName } from '../datapath/names.ts'
import { reaches } from '../datapath/segment.ts'
import type { Endpoint, Host, HostId, Network, NetworkId } from '../model/cluster.ts'
import type { Naming } from '../model/name.ts'
import type { LoopReport } from '../reconcile/loop.ts'
import { toLocalEndpoint } from './facts.ts'
import type { Facts } from './facts.ts'

export interface StatusSources {
  readonly self: Host
  readonly host: Omit<Status['host'], 'id' | 'nickname' | 'address' | 'controlPort' | 'dataPort'>
  readonly ready: boolean
  readonly cluster: Status['cluster']
  readonly store: Status['store']
  readonly facts: Facts
  readonly hosts: ReadonlyMap<HostId, Host>
  readonly networks: ReadonlyMap<NetworkId, Network>
  readonly remote: readonly Endpoint[]
  readonly pools: Status['pools']
  readonly dns: Status['dns']
  readonly loops: readonly LoopReport[]
  readonly definitions: Status['definitions']
  readonly warnings: readonly string[]
}

type EndpointStatus = Status['endpoints'][number]

export function renderStatus(sources: StatusSources): Status {
  const { self, facts, hosts } = sources
  const { id, nickname, address, controlPort, dataPort } = self
  const elsewhere = sources.remote.filter(({ host }) => host !== id)
  return {
    version: self.version,
    ready: sources.ready,
    host: { ...sources.host, id, nickname, address, controlPort, dataPort },
    cluster: sources.cluster,
    store: sources.store,
    peers: renderPeers(sources, elsewhere),
    networks: renderNetworks(sources, elsewhere),
    definitions: sources.definitions,
    endpoints: [
      ...[...facts.endpoints.values()].map((own) => {
        const { id: endpoint, network, mac, phase, addresses } = toLocalEndpoint(own)
        const { since, naming } = own
        const link = hostEndName(endpoint)
        const place = { host: id, nickname, local: true, link }
        return {
          id: endpoint,
          network,
          mac,
          phase,
          addresses: [...addresses],
          since,
          ...place,
          ...rendered(naming),
        }
      }),
      ...elsewhere.map((endpoint) => {
        const { naming, addresses, ...place } = endpoint
        const called = hosts.get(endpoint.host)?.nickname ?? endpoint.host
        const more = { nickname: called, local: false, ...rendered(naming) }
        return { ...place, addresses: [...addresses], ...more }
      }),
    ],
    pools: sources.pools,
    dns: sources.dns,
    targets: [...sources.loops],
    warnings: [...sources.warnings, ...contested(sources, elsewhere), ...beyondReach(sources)],
  }
}

function rendered(
  naming: Naming | undefined,
): Pick<EndpointStatus, 'container' | 'names' | 'networkName'> {
  if (naming === undefined) return { names: [] }
  const { container, names, network } = naming
  return { container, names: [...names], ...(network === '' ? {} : { networkName: network }) }
}

function renderPeers(
  { self, facts, hosts }: StatusSources,
  elsewhere: readonly Endpoint[],
): Status['peers'] {
  const counts = countBy(elsewhere, ({ host }) => host)
  return [self, ...[...hosts.values()].filter(({ id }) => id !== self.id)].map((host) => {
    const { id, nickname, address, controlPort, dataPort, version } = host
    const endpoints = id === self.id ? facts.endpoints.size : (counts.get(id) ?? 0)
    return {
      id,
      nickname,
      address,
      controlPort,
      dataPort,
      version,
      self: id === self.id,
      endpoints,
    }
  })
}

function renderNetworks(
  { facts, networks, host }: StatusSources,
  elsewhere: readonly Endpoint[],
): Status['networks'] {
  const all = new Map<NetworkId, Network>(networks)
  for (const network of facts.networks.values()) {
    if (network.removed === true) all.delete(network.id)
    else all.set(network.id, network)
  }
  const local = countBy(facts.endpoints.values(), ({ network }) => network)
  const remote = countBy(elsewhere, ({ network }) => network)
  return [...all.values()].map(({ id, vni, subnets, mtuBytes, multicast }) => {
    const localEndpoints = local.get(id) ?? 0
    return {
      id,
      vni,
      subnets: [...subnets],
      mtuBytes: Math.min(mtuBytes ?? host.mtuBytes, host.mtuBytes),
      multicast,
      ...(localEndpoints > 0 ? { bridge: bridgeName(vni), tunnel: tunnelName(vni) } : {}),
      localEndpoints,
      remoteEndpoints: remote.get(id) ?? 0,
    }
  })
}

/** One address claimed twice in one network: the newest record wins, and somebody should know. */
function contested({ self, facts }: StatusSources, elsewhere: readonly Endpoint[]): string[] {
  const claims = new Map<string, Set<string>>()
  const local = [...facts.endpoints.values()].map(toLocalEndpoint)
  for (const endpoint of [...local.map((own) => ({ ...own, host: self.id })), ...elsewhere]) {
    for (const address of endpoint.addresses) {
      const key = `${address} in network ${endpoint.network.slice(0, 12)}`
      const holders = claims.get(key) ?? new Set()
      claims.set(key, holders.add(`${endpoint.id.slice(0, 12)} on ${endpoint.host}`))
    }
  }
  return [...claims]
    .filter(([, holders]) => holders.size > 1)
    .map(([what, holders]) => `address ${what} is held by ${[...holders].join(' and ')}`)
}

/** Refused at a launch; it comes about when an address of a running cluster changes. */
function beyondReach({ self, hosts }: StatusSources): string[] {
  return [...hosts.values()]
    .filter((host) => !reaches(self, host))
    .map(
      ({ nickname, address }) =>
        `no tunnel leads from ${self.address} to ${nickname} (${address}): launch both with --host= of one IP family`,
    )
}

function countBy<T, Key>(items: Iterable<T>, keyOf: (item: T) => Key): ReadonlyMap<Key, number> {
  const counts = new Map<Key, number>()
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1)
  return counts
}
