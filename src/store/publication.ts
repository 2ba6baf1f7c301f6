/**
 * Decides what this host must write so that the store says what the host knows.
 *
 * Every host is the authority on its own facts: its host record, its endpoints, and the networks
 * that it uses. So publication is a comparison like any other, not a stream of updates: whatever
 * was missed while the store was away, or lost with it, is found missing and written again. So is
 * what somebody has made unreadable: a key of ours is ours whatever stands there.
 *
 * Pure. Each step is one transaction; steps are independent of each other.
 */

import type { Endpoint, Host, Network, NetworkId, Vni } from '../model/cluster.ts'
import type { StaticName } from '../model/static-name.ts'
import {
  clusterKey,
  encodeCluster,
  endpoints,
  hosts,
  networks,
  staticNames,
  vnis,
} from './schema.ts'
import type { Collection } from './schema.ts'
import type { LeaseId, Revision, Write } from './store.ts'

export interface OwnRecords {
  /** The cluster's identity, for a store that has none: new, or robbed of its data. */
  readonly cluster: string
  /** The epoch that begins with this identity, if it has to be written; random. */
  readonly epoch: string
  readonly host: Host
  readonly endpoints: readonly Endpoint[]
  readonly staticNames: readonly StaticName[]
  /** Networks that this host uses or has made. */
  readonly networks: readonly Network[]
  /** Networks that Docker has removed and whose records are still to go. */
  readonly removed: readonly NetworkId[]
  /** Host and endpoint records vanish with it. */
  readonly lease: LeaseId
}

export interface Published<T> {
  readonly value: T
  readonly revision: Revision
  readonly lease: LeaseId
}

export interface PublishedRecords {
  readonly cluster: string | undefined
  readonly host: Published<Host> | undefined
  /** Those under this host's name, by key. */
  readonly endpoints: ReadonlyMap<string, Published<Endpoint>>
  readonly staticNames: ReadonlyMap<string, Published<StaticName>>
  readonly networks: ReadonlyMap<NetworkId, Published<Network>>
  /** Networks that the store has lost, and that others may publish again. */
  readonly held: ReadonlySet<NetworkId>
  readonly vnis: ReadonlyMap<Vni, Published<NetworkId>>
  /** What stands unreadable under some keys, by its revision. */
  readonly foreign: ReadonlyMap<string, Revision>
}

export interface PublicationStep {
  readonly what: string
  readonly writes: readonly Write[]
  /**
   * Nothing to write: its removal is complete and need not be remembered. Decided here, where none of
   * our own writes is under way: one that makes the network could otherwise outlive the memory.
   */
  readonly forget?: NetworkId
}

/** Well below what etcd takes in one transaction (--max-txn-ops 128). */
const writesPerStep = 64

export function planPublication(
  own: OwnRecords,
  published: PublishedRecords,
): readonly PublicationStep[] {
  return [
    ...planCluster(own, published),
    ...planHost(own, published),
    ...inChunks('endpoints', planEndpoints(own, published)),
    ...inChunks('names', planNames(own, published)),
    ...own.networks.flatMap((network) => planNetwork(network, published)),
    ...own.removed.flatMap((id) => planRemoval(id, published)),
  ]
}

function planCluster(own: OwnRecords, published: PublishedRecords): PublicationStep[] {
  if (published.cluster !== undefined) return []
  const text = encodeCluster({ id: own.cluster, epoch: own.epoch })
  const expected = missing(clusterKey, published)
  return [{ what: 'cluster', writes: [{ kind: 'put', key: clusterKey, text, expected }] }]
}

function planHost({ host, lease }: OwnRecords, published: PublishedRecords): PublicationStep[] {
  const seen = published.host
  const text = hosts.encode(host)
  if (seen?.lease === lease && hosts.encode(seen.value) === text) return []
  const key = hosts.key(host.id)
  const expected = seen?.revision ?? missing(key, published)
  return [{ what: 'host', writes: [{ kind: 'put', key, text, lease, expected }] }]
}

/** What to expect where no record of ours is to be read: nothing, or what nobody understands. */
function missing(key: string, { foreign }: PublishedRecords): Revision {
  return foreign.get(key) ?? 0n
}

function planEndpoints(
  { endpoints: own, lease }: OwnRecords,
  published: PublishedRecords,
): Write[] {
  const wanted = own.map((one) => {
    const { network, host, id: endpoint } = one
    return [endpoints.key({ network, host, endpoint }), one] as const
  })
  return planLeased(endpoints, { wanted, lease, seen: published.endpoints })
}

function planNames({ staticNames: own, lease }: OwnRecords, published: PublishedRecords): Write[] {
  const wanted = own.map((one) => [staticNames.key(one), one] as const)
  return planLeased(staticNames, { wanted, lease, seen: published.staticNames })
}

interface Leased<T> {
  /** By key. */
  readonly wanted: readonly (readonly [string, T])[]
  readonly seen: ReadonlyMap<string, Published<T>>
  readonly lease: LeaseId
}

function planLeased<Id, T>(
  { encode }: Collection<Id, T>,
  { wanted, seen, lease }: Leased<T>,
): Write[] {
  const keys = new Set(wanted.map(([key]) => key))
  const puts = wanted.flatMap(([key, value]): Write[] => {
    const text = encode(value)
    const there = seen.get(key)
    const isThere = there?.lease === lease && encode(there.value) === text
    return isThere ? [] : [{ kind: 'put', key, text, lease }]
  })
  const gone = [...seen.keys()].filter((key) => !keys.has(key))
  return [...puts, ...gone.map((key): Write => ({ kind: 'delete', key }))]
}

/** A VNI that another network holds meanwhile is not taken from it; the router chooses anew. */
function planNetwork(network: Network, published: PublishedRecords): PublicationStep[] {
  const seen = published.networks.get(network.id)
  const owner = published.vnis.get(network.vni)
  if (owner !== undefined && owner.value !== network.id) return []
  const text = networks.encode(network)
  const writes: Write[] = []
  if (seen === undefined) {
    const key = networks.key(network.id)
    writes.push({ kind: 'put', key, text, expected: missing(key, published) })
  } else if (seen.value.vni !== network.vni) {
    return []
  } else if (networks.encode(seen.value) !== text) {
    writes.push({ kind: 'put', key: networks.key(network.id), text, expected: seen.revision })
  }
  if (owner === undefined) {
    const key = vnis.key(network.vni)
    const expected = missing(key, published)
    writes.push({ kind: 'put', key, text: vnis.encode(network.id), expected })
  }
  return writes.length === 0 ? [] : [{ what: `network ${network.id}`, writes }]
}

function planRemoval(id: NetworkId, published: PublishedRecords): PublicationStep[] {
  const seen = published.networks.get(id)
  if (seen === undefined) {
    return published.held.has(id) ? [] : [{ what: `end of network ${id}`, writes: [], forget: id }]
  }
  const { vni } = seen.value
  const owner = published.vnis.get(vni)
  const writes: Write[] = [
    { kind: 'delete', key: networks.key(id), expected: seen.revision },
    ...(owner?.value === id
      ? [{ kind: 'delete', key: vnis.key(vni), expected: owner.revision } as const]
      : []),
  ]
  return [{ what: `removal of network ${id}`, writes }]
}

function inChunks(what: string, writes: readonly Write[]): PublicationStep[] {
  const chunks: PublicationStep[] = []
  for (let start = 0; start < writes.length; start += writesPerStep) {
    chunks.push({ what, writes: writes.slice(start, start + writesPerStep) })
  }
  return chunks
}
