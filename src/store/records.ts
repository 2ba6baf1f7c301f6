/**
 * The records of a view, decoded once and found again by whatever is asked for.
 *
 * Ten thousand endpoints change one at a time, so each change costs a few map operations, never a
 * walk over all of them.
 */

import type { IpAddress } from '../model/address.ts'
import type { Endpoint, Host, HostId, Network, NetworkId, Vni } from '../model/cluster.ts'
import type { Definition, DefinitionId } from '../model/definition.ts'
import type { PoolId } from '../model/pool.ts'
import type { StaticName } from '../model/static-name.ts'
import { createChains, createIndex, createIndexedMap } from './indexed.ts'
import type { IndexedMap } from './indexed.ts'
import {
  blocks,
  definitions,
  endpoints,
  holders,
  hosts,
  ipamGuardKey,
  networks,
  pools,
  singles,
  staticNames,
  vnis,
} from './schema.ts'
import type { BlockRecord, Collection, HolderRecord, PoolRecord, SingleRecord } from './schema.ts'
import type { LeaseId, Revision, StoreRecord } from './store.ts'

export interface Seen<T> {
  readonly value: T
  /** 0n while it is held. */
  readonly revision: Revision
  readonly lease: LeaseId
  /** The store has it no longer in readable form, but nobody has removed it. */
  readonly held?: true
}

/** What began to be held at the same time, and ends to be at the same time. */
export type Hold = ReadonlySet<string>

export interface Records {
  /** An unreadable record is named as foreign; what was known under its key is held. */
  readonly put: (record: StoreRecord) => Hold
  readonly delete: (key: string) => void
  /** Takes all records of the store for those of `snapshot`; what it lacks is held. */
  readonly reset: (snapshot: readonly StoreRecord[]) => Hold
  /** Forgets what is still held of it. */
  readonly release: (hold: Hold) => void
  readonly read: {
    readonly hosts: () => ReadonlyMap<HostId, Seen<Host>>
    readonly networks: () => ReadonlyMap<NetworkId, Seen<Network>>
    readonly vnis: () => ReadonlyMap<Vni, Seen<NetworkId>>
    readonly definitions: () => ReadonlyMap<DefinitionId, Seen<Definition>>
    readonly endpoints: () => ReadonlyMap<string, Seen<Endpoint>>
    readonly endpointsIn: (network: NetworkId) => Iterable<Seen<Endpoint>>
    readonly endpointsOf: (host: HostId) => ReadonlyMap<string, Seen<Endpoint>>
    readonly endpointsNamed: (network: NetworkId, name: string) => Iterable<Seen<Endpoint>>
    readonly endpointsAt: (network: NetworkId, address: IpAddress) => Iterable<Seen<Endpoint>>
    /** By store key. */
    readonly staticNames: () => ReadonlyMap<string, Seen<StaticName>>
    readonly staticNamesOf: (host: HostId) => ReadonlyMap<string, Seen<StaticName>>
    readonly staticNamed: (name: string) => Iterable<Seen<StaticName>>
    readonly staticAt: (address: IpAddress) => Iterable<Seen<StaticName>>
    readonly pools: () => ReadonlyMap<PoolId, Seen<PoolRecord>>
    /** By store key, as are the next two. */
    readonly holders: () => ReadonlyMap<string, Seen<HolderRecord>>
    readonly blocks: () => ReadonlyMap<string, Seen<BlockRecord>>
    readonly singles: () => ReadonlyMap<string, Seen<SingleRecord>>
    readonly foreignKeys: () => readonly string[]
    /** The same, with the revision of what stands there. */
    readonly foreign: () => ReadonlyMap<string, Revision>
    readonly held: () => number
  }
}

/** One collection's part of the view. */
interface Part {
  /** False when the key is not this collection's, or its text makes no sense. */
  readonly put: (record: StoreRecord) => boolean
  readonly delete: (key: string) => void
  readonly keys: () => readonly string[]
  /** False when nothing is known under this key. */
  readonly hold: (key: string) => boolean
}

const nothing: Hold = new Set()

export function createRecords(): Records {
  const { parts, read } = createParts()
  const foreign = new Map<string, Revision>()
  const held = new Map<string, Hold>()

  function remove(key: string): void {
    foreign.delete(key)
    held.delete(key)
    for (const part of parts) part.delete(key)
  }

  /** What is held already is held no longer for it. */
  function hold(keys: readonly string[]): Hold {
    const fresh = new Set(keys.filter((key) => !held.has(key)))
    for (const key of fresh) {
      if (parts.some((part) => part.hold(key))) held.set(key, fresh)
      else fresh.delete(key)
    }
    return fresh
  }

  /** True when it can be read. */
  function put(record: StoreRecord): boolean {
    if (!parts.some((part) => part.put(record))) {
      foreign.set(record.key, record.revision)
      return false
    }
    held.delete(record.key)
    foreign.delete(record.key)
    return true
  }

  return {
    put: (record) => (put(record) ? nothing : hold([record.key])),
    delete: remove,
    reset(snapshot) {
      foreign.clear()
      const readable = new Set(snapshot.filter(put).map(({ key }) => key))
      return hold(parts.flatMap((part) => part.keys()).filter((key) => !readable.has(key)))
    },
    release(released) {
      for (const key of released) if (held.get(key) === released) forget(key)
    },
    read: {
      ...read,
      foreignKeys: () => [...foreign.keys()],
      foreign: () => foreign,
      held: () => held.size,
    },
  }

  /** Its key may still be foreign: that something unreadable stands there does not change. */
  function forget(key: string): void {
    held.delete(key)
    for (const part of parts) part.delete(key)
  }
}

function createParts(): {
  readonly parts: readonly Part[]
  readonly read: Omit<Records['read'], 'foreignKeys' | 'foreign' | 'held'>
} {
  const hostMap = new Map<HostId, Seen<Host>>()
  const networkMap = new Map<NetworkId, Seen<Network>>()
  const vniMap = new Map<Vni, Seen<NetworkId>>()
  const definitionMap = new Map<DefinitionId, Seen<Definition>>()
  const poolMap = new Map<PoolId, Seen<PoolRecord>>()
  const holderMap = new Map<string, Seen<HolderRecord>>()
  const blockMap = new Map<string, Seen<BlockRecord>>()
  const singleMap = new Map<string, Seen<SingleRecord>>()
  const attached = createAttached()
  const added = createAdded()
  return {
    parts: [
      createPart(hosts, hostMap),
      createPart(networks, networkMap),
      createPart(vnis, vniMap),
      createPart(definitions, definitionMap),
      createIndexedPart(endpoints, attached.map),
      createIndexedPart(staticNames, added.map),
      createPart(pools, poolMap),
      createPart(byKey(holders), holderMap),
      createPart(byKey(blocks), blockMap),
      createPart(byKey(singles), singleMap),
      guard,
    ],
    read: {
      hosts: () => hostMap,
      networks: () => networkMap,
      vnis: () => vniMap,
      definitions: () => definitionMap,
      ...attached.read,
      ...added.read,
      pools: () => poolMap,
      holders: () => holderMap,
      blocks: () => blockMap,
      singles: () => singleMap,
    },
  }
}

function createAttached(): {
  readonly map: IndexedMap<Seen<Endpoint>>
  readonly read: Pick<
    Records['read'],
    'endpoints' | 'endpointsIn' | 'endpointsOf' | 'endpointsNamed' | 'endpointsAt'
  >
} {
  type Value = Seen<Endpoint>
  const byNetwork = createIndex(({ value }: Value) => [value.network])
  const byHost = createIndex(({ value }: Value) => [value.host])
  const byName = createChains(({ value }: Value) =>
    (value.naming?.names ?? []).map((name) => inNetwork(value.network, name)),
  )
  const byAddress = createChains(({ value }: Value) =>
    value.addresses.map((address) => inNetwork(value.network, address)),
  )
  const map = createIndexedMap([byNetwork, byHost, byName, byAddress])
  return {
    map,
    read: {
      endpoints: () => map.all,
      endpointsIn: (network) => byNetwork.of(network).values(),
      endpointsOf: byHost.of,
      endpointsNamed: (network, name) => byName.of(inNetwork(network, name)),
      endpointsAt: (network, address) => byAddress.of(inNetwork(network, address)),
    },
  }
}

function createAdded(): {
  readonly map: IndexedMap<Seen<StaticName>>
  readonly read: Pick<Records['read'], 'staticNames' | 'staticNamesOf' | 'staticNamed' | 'staticAt'>
} {
  const byHost = createIndex(({ value }: Seen<StaticName>) => [value.host])
  const byName = createChains(({ value }: Seen<StaticName>) => [value.name])
  const byAddress = createChains(({ value }: Seen<StaticName>) => value.addresses)
  const map = createIndexedMap([byHost, byName, byAddress])
  return {
    map,
    read: {
      staticNames: () => map.all,
      staticNamesOf: byHost.of,
      staticNamed: (name) => byName.of(name),
      staticAt: (address) => byAddress.of(address),
    },
  }
}

/** A slash is in neither a network's ID nor a name nor an address. */
function inNetwork(network: NetworkId, what: string): string {
  return `${network}/${what}`
}

/** Says nothing, but is no foreign key either. */
const guard: Part = {
  put: ({ key }) => key === ipamGuardKey,
  delete: () => {},
  keys: () => [],
  hold: () => false,
}

/** The same collection with its keys for IDs, where an ID has several parts. */
function byKey<Id, T>({ prefix, id, encode, decode }: Collection<Id, T>): Collection<string, T> {
  return {
    prefix,
    key: (key) => key,
    id: (key) => (id(key) === undefined ? undefined : key),
    encode,
    decode,
    agrees: () => true,
  }
}

function createPart<Id, T>(collection: Collection<Id, T>, map: Map<Id, Seen<T>>): Part {
  return {
    put({ key, text, revision, lease }) {
      const id = collection.id(key)
      const value = id === undefined ? undefined : collection.decode(text)
      if (id === undefined || value === undefined) return false
      if (!collection.agrees(value, id)) return false
      map.set(id, { value, revision, lease })
      return true
    },
    delete(key) {
      const id = collection.id(key)
      if (id !== undefined) map.delete(id)
    },
    keys: () => [...map.keys()].map(collection.key),
    hold(key) {
      const id = collection.id(key)
      const seen = id === undefined ? undefined : map.get(id)
      if (id === undefined || seen === undefined) return false
      map.set(id, asHeld(seen))
      return true
    },
  }
}

/** Of records that are kept by their store key. */
function createIndexedPart<Id, T>(
  collection: Collection<Id, T>,
  { all, ...map }: IndexedMap<Seen<T>>,
): Part {
  return {
    put({ key, text, revision, lease }) {
      const id = collection.id(key)
      const value = id === undefined ? undefined : collection.decode(text)
      if (id === undefined || value === undefined) return false
      if (!collection.agrees(value, id)) return false
      map.set(key, { value, revision, lease })
      return true
    },
    delete: map.delete,
    keys: () => [...all.keys()],
    hold(key) {
      const seen = all.get(key)
      if (seen !== undefined) map.set(key, asHeld(seen))
      return seen !== undefined
    },
  }
}

/** No revision and no lease: it is not in the store, and a write must expect nothing there. */
function asHeld<T>({ value }: Seen<T>): Seen<T> {
  return { value, revision: 0n, lease: 0n, held: true }
}
