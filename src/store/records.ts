/**
 * The records of a view, decoded once and found again by whatever is asked for.
 *
 * Ten thousand endpoints change one at a time, so each change costs a few map operations, never a
 * walk over all of them.
 */

import type { Endpoint, Host, HostId, Network, NetworkId, Vni } from '../model/cluster.ts'
import { endpoints, hosts, networks, vnis } from './schema.ts'
import type { Collection } from './schema.ts'
import type { LeaseId, Revision, StoreRecord } from './store.ts'

export interface Seen<T> {
  readonly value: T
  readonly revision: Revision
  readonly lease: LeaseId
  /** The store has lost it, nobody has removed it. */
  readonly held?: true
}

export interface Records {
  readonly put: (record: StoreRecord) => void
  readonly delete: (key: string) => void
  /** Marks those of the known records that are missing; returns how many. */
  readonly hold: (isMissing: (key: string) => boolean) => number
  /** Forgets what is held; returns how many that were. */
  readonly release: () => number
  readonly read: {
    readonly hosts: () => ReadonlyMap<HostId, Seen<Host>>
    readonly networks: () => ReadonlyMap<NetworkId, Seen<Network>>
    readonly vnis: () => ReadonlyMap<Vni, Seen<NetworkId>>
    readonly endpoints: () => ReadonlyMap<string, Seen<Endpoint>>
    readonly endpointsIn: (network: NetworkId) => Iterable<Seen<Endpoint>>
    readonly endpointsOf: (host: HostId) => ReadonlyMap<string, Seen<Endpoint>>
    readonly foreignKeys: () => readonly string[]
    readonly held: () => number
  }
}

/** One collection's part of the view. */
interface Part {
  /** False when the key is not this collection's, or its text makes no sense. */
  readonly put: (record: StoreRecord) => boolean
  readonly delete: (key: string) => void
  readonly hold: (isMissing: (key: string) => boolean) => readonly string[]
}

export function createRecords(): Records {
  const { parts, read } = createParts()
  const foreign = new Set<string>()
  const held = new Set<string>()

  function remove(key: string): void {
    foreign.delete(key)
    held.delete(key)
    for (const part of parts) part.delete(key)
  }

  function hold(isMissing: (key: string) => boolean): number {
    for (const key of foreign) if (isMissing(key)) foreign.delete(key)
    for (const part of parts) for (const key of part.hold(isMissing)) held.add(key)
    return held.size
  }

  function release(): number {
    const keys = [...held]
    for (const key of keys) remove(key)
    return keys.length
  }

  return {
    put(record) {
      held.delete(record.key)
      if (parts.some((part) => part.put(record))) return void foreign.delete(record.key)
      remove(record.key)
      foreign.add(record.key)
    },
    delete: remove,
    hold,
    release,
    read: { ...read, foreignKeys: () => [...foreign], held: () => held.size },
  }
}

function createParts(): {
  readonly parts: readonly Part[]
  readonly read: Omit<Records['read'], 'foreignKeys' | 'held'>
} {
  const hostMap = new Map<HostId, Seen<Host>>()
  const networkMap = new Map<NetworkId, Seen<Network>>()
  const vniMap = new Map<Vni, Seen<NetworkId>>()
  const endpointMap = new Map<string, Seen<Endpoint>>()
  const byNetwork = createIndex<NetworkId>()
  const byHost = createIndex<HostId>()
  return {
    parts: [
      createPart(hosts, hostMap),
      createPart(networks, networkMap),
      createPart(vnis, vniMap),
      createEndpointPart(endpointMap, [byNetwork, byHost]),
    ],
    read: {
      hosts: () => hostMap,
      networks: () => networkMap,
      vnis: () => vniMap,
      endpoints: () => endpointMap,
      endpointsIn: (network) => byNetwork.get(network).values(),
      endpointsOf: byHost.get,
    },
  }
}

function createPart<Id, T>(collection: Collection<Id, T>, map: Map<Id, Seen<T>>): Part {
  return {
    put({ key, text, revision, lease }) {
      const id = collection.id(key)
      const value = id === undefined ? undefined : collection.decode(text)
      if (id === undefined || value === undefined) return false
      map.set(id, { value, revision, lease })
      return true
    },
    delete(key) {
      const id = collection.id(key)
      if (id !== undefined) map.delete(id)
    },
    hold(isMissing) {
      const missing = [...map].filter(([id]) => isMissing(collection.key(id)))
      for (const [id, seen] of missing) map.set(id, { ...seen, held: true })
      return missing.map(([id]) => collection.key(id))
    },
  }
}

function createEndpointPart(
  map: Map<string, Seen<Endpoint>>,
  [byNetwork, byHost]: readonly [Index<NetworkId>, Index<HostId>],
): Part {
  function set(key: string, seen: Seen<Endpoint>): void {
    map.set(key, seen)
    byNetwork.set(seen.value.network, key, seen)
    byHost.set(seen.value.host, key, seen)
  }
  return {
    put({ key, text, revision, lease }) {
      const id = endpoints.id(key)
      const value = id === undefined ? undefined : endpoints.decode(text)
      if (id === undefined || value === undefined) return false
      if (value.network !== id.network || value.host !== id.host) return false
      set(key, { value, revision, lease })
      return true
    },
    delete(key) {
      const seen = map.get(key)
      if (seen === undefined) return
      map.delete(key)
      byNetwork.delete(seen.value.network, key)
      byHost.delete(seen.value.host, key)
    },
    hold(isMissing) {
      const missing = [...map].filter(([key]) => isMissing(key))
      for (const [key, seen] of missing) set(key, { ...seen, held: true })
      return missing.map(([key]) => key)
    },
  }
}

interface Index<Key> {
  readonly get: (group: Key) => ReadonlyMap<string, Seen<Endpoint>>
  readonly set: (group: Key, key: string, seen: Seen<Endpoint>) => void
  readonly delete: (group: Key, key: string) => void
}

const none: ReadonlyMap<string, Seen<Endpoint>> = new Map()

function createIndex<Key>(): Index<Key> {
  const groups = new Map<Key, Map<string, Seen<Endpoint>>>()
  return {
    get: (group) => groups.get(group) ?? none,
    set(group, key, seen) {
      const members = groups.get(group)
      if (members === undefined) groups.set(group, new Map([[key, seen]]))
      else members.set(key, seen)
    },
    delete(group, key) {
      const members = groups.get(group)
      members?.delete(key)
      if (members?.size === 0) groups.delete(group)
    },
  }
}
