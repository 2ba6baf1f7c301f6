/**
 * The key schema: the one place that knows how records are laid out in the store.
 *
 *   /weave/v1/cluster                               which cluster this store belongs to
 *   /weave/v1/hosts/<host>                          a live host, under its lease
 *   /weave/v1/networks/<network>                    subnets, VNI, options
 *   /weave/v1/vnis/<vni>                            the network that owns a VNI: keeps it unique
 *   /weave/v1/endpoints/<network>/<host>/<endpoint> one attachment, under the host's lease
 *   /weave/v1/names/<host>/<id>                     a name added by hand, under the host's lease
 *   /weave/v1/definitions/<driver>/<name>           how to make a network on engines without a store
 *   /weave/v1/ipam/pools/<pool>                     a pool, and what of it is kept free for everybody
 *   /weave/v1/ipam/holders/<pool>/<host>            a host whose Docker has networks with this pool
 *   /weave/v1/ipam/blocks/<pool>/<block>            the host that hands out a part of a pool
 *   /weave/v1/ipam/singles/<pool>/<address>         the host that has an address outside every block
 *   /weave/v1/ipam/guard                            written with each change of pools: one at a time
 *
 * A user's prefix (`etcd://…/prefix`) is put in front by the store client, not here.
 *
 * Old and new routers share a cluster during an upgrade. A change that an old router cannot read
 * therefore needs a new version segment and a migration, never an edit here.
 */

import { isIpAddress } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import {
  isEndpoint,
  isEndpointId,
  isHost,
  isHostId,
  isNetwork,
  isNetworkId,
  isRecord,
  isVni,
} from '../model/cluster.ts'
import type {
  Endpoint,
  EndpointId,
  Host,
  HostId,
  Network,
  NetworkId,
  Vni,
} from '../model/cluster.ts'
import { definitionId, isDefinition, isDefinitionId } from '../model/definition.ts'
import type { Definition, DefinitionId } from '../model/definition.ts'
import { isNaming } from '../model/name.ts'
import { isAssignable, isPoolId, readBlockId, readPoolId } from '../model/pool.ts'
import type { BlockId, Pool, PoolId } from '../model/pool.ts'
import { isStaticName, isStaticNameId } from '../model/static-name.ts'
import type { StaticName, StaticNameId } from '../model/static-name.ts'

export const root = '/weave/v1/'

export interface Collection<Id, T> {
  /** Ends with a slash, so that one collection's range never covers another's. */
  readonly prefix: string
  readonly key: (id: Id) => string
  /** Inverse of `key`; undefined for a key that is not ours to read. */
  readonly id: (key: string) => Id | undefined
  readonly encode: (value: T) => string
  /** Undefined when the text is no valid record: the caller sets it aside and says so. */
  readonly decode: (text: string) => T | undefined
  /** Whether the record says the same of itself as its key. */
  readonly agrees: (value: T, id: Id) => boolean
}

export interface Cluster {
  /** 32 hex digits, random, made by the host that founded the cluster. */
  readonly id: string
  /** Random, made with the record: another one says that the store had lost its data. */
  readonly epoch?: string | undefined
}

export interface EndpointKey {
  readonly network: NetworkId
  readonly host: HostId
  readonly endpoint: EndpointId
}

export interface StaticNameKey {
  readonly host: HostId
  readonly id: StaticNameId
}

export interface PoolRecord {
  readonly id: PoolId
  /** Gateways and auxiliary addresses: no container gets one of them. */
  readonly reserved: readonly IpAddress[]
}

export interface BlockRecord {
  /** Null: given up by a host that had lent addresses of it. */
  readonly owner: HostId | null
  /** Single addresses of it that other hosts hand out, by address. */
  readonly lent: Readonly<Record<string, HostId>>
}

export interface HolderRecord {
  /** For people, when the host itself is gone. */
  readonly nickname: string
}

export interface SingleRecord {
  readonly owner: HostId
}

export interface PoolPart<Part extends string> {
  readonly pool: PoolId
  readonly part: Part
}

export const clusterKey = `${root}cluster`
export const ipamGuardKey = `${root}ipam/guard`

export const hosts = collection<HostId, Host>('hosts', isHostId, isHost)
export const networks = collection<NetworkId, Network>('networks', isNetworkId, isNetwork)

const vnisPrefix = `${root}vnis/`

export const vnis: Collection<Vni, NetworkId> = {
  prefix: vnisPrefix,
  key: (vni) => `${vnisPrefix}${vni}`,
  id(key) {
    const vni = Number(key.slice(vnisPrefix.length))
    return isVni(vni) && key === `${vnisPrefix}${vni}` ? vni : undefined
  },
  encode: (network) => JSON.stringify(network),
  decode: (text) => decodeJson(text, isNetworkId),
  agrees: () => true,
}

const endpointsPrefix = `${root}endpoints/`

export const endpoints: Collection<EndpointKey, Endpoint> = {
  prefix: endpointsPrefix,
  key: ({ network, host, endpoint }) => `${endpointsPrefix}${network}/${host}/${endpoint}`,
  id(key) {
    if (!key.startsWith(endpointsPrefix)) return undefined
    const [network, host, endpoint, ...more] = key.slice(endpointsPrefix.length).split('/')
    return isNetworkId(network) && isHostId(host) && isEndpointId(endpoint) && more.length === 0
      ? { network, host, endpoint }
      : undefined
  },
  encode: (endpoint) => JSON.stringify(endpoint),
  decode(text) {
    const endpoint = decodeJson(text, isEndpoint)
    if (endpoint?.naming === undefined || isNaming(endpoint.naming)) return endpoint
    // Names of a kind that this version does not know yet: the container is reached all the same.
    const { naming: _unknown, ...rest } = endpoint
    return rest
  },
  agrees: ({ network, host, id }, key) =>
    network === key.network && host === key.host && id === key.endpoint,
}

const namesPrefix = `${root}names/`

export const staticNames: Collection<StaticNameKey, StaticName> = {
  prefix: namesPrefix,
  key: ({ host, id }) => `${namesPrefix}${host}/${id}`,
  id(key) {
    if (!key.startsWith(namesPrefix)) return undefined
    const [host, id, ...more] = key.slice(namesPrefix.length).split('/')
    return isHostId(host) && isStaticNameId(id) && more.length === 0 ? { host, id } : undefined
  },
  encode: (name) => JSON.stringify(name),
  decode: (text) => decodeJson(text, isStaticName),
  agrees: ({ host, id }, key) => host === key.host && id === key.id,
}

const definitionsPrefix = `${root}definitions/`

export const definitions: Collection<DefinitionId, Definition> = {
  prefix: definitionsPrefix,
  key: (id) => definitionsPrefix + id,
  id(key) {
    const id = key.startsWith(definitionsPrefix) ? key.slice(definitionsPrefix.length) : ''
    return isDefinitionId(id) ? id : undefined
  },
  encode: (definition) => JSON.stringify(definition),
  decode: (text) => decodeJson(text, isDefinition),
  agrees: (definition, id) => definitionId(definition) === id,
}

export const pools = collection<PoolId, PoolRecord>('ipam/pools', isPoolId, isPoolRecord)

export const holders = poolCollection<HostId, HolderRecord>('ipam/holders', {
  isPart: (_pool, part): part is HostId => isHostId(part),
  isValue: isHolderRecord,
})

export const blocks = poolCollection<BlockId, BlockRecord>('ipam/blocks', {
  isPart: (pool, part): part is BlockId => readBlockId(pool, part) !== undefined,
  isValue: isBlockRecord,
})

export const singles = poolCollection<IpAddress, SingleRecord>('ipam/singles', {
  isPart: (pool, part): part is IpAddress => isIpAddress(part) && isAssignable(pool, part),
  isValue: isSingleRecord,
})

export function encodeCluster(cluster: Cluster): string {
  return JSON.stringify(cluster)
}

export function decodeCluster(text: string): Cluster | undefined {
  return decodeJson(text, isCluster)
}

function isCluster(value: unknown): value is Cluster {
  if (!isRecord(value) || typeof value['id'] !== 'string') return false
  return value['epoch'] === undefined || typeof value['epoch'] === 'string'
}

function collection<Id extends string, T extends { readonly id: Id }>(
  name: string,
  isId: (value: unknown) => value is Id,
  isValue: (value: unknown) => value is T,
): Collection<Id, T> {
  const prefix = `${root}${name}/`
  return {
    prefix,
    key: (id) => `${prefix}${id}`,
    id(key) {
      const id = key.startsWith(prefix) ? key.slice(prefix.length) : ''
      return isId(id) ? id : undefined
    },
    encode: (value) => JSON.stringify(value),
    decode: (text) => decodeJson(text, isValue),
    agrees: (value, id) => value.id === id,
  }
}

interface PoolCollection<Part extends string, T> extends Collection<PoolPart<Part>, T> {
  /** What all keys of one pool begin with. */
  readonly prefixOf: (pool: PoolId) => string
}

function poolCollection<Part extends string, T>(
  name: string,
  {
    isPart,
    isValue,
  }: {
    readonly isPart: (pool: Pool, part: unknown) => part is Part
    readonly isValue: (value: unknown) => value is T
  },
): PoolCollection<Part, T> {
  const prefix = `${root}${name}/`
  return {
    prefix,
    prefixOf: (pool) => `${prefix}${pool}/`,
    key: ({ pool, part }) => `${prefix}${pool}/${part}`,
    id(key) {
      if (!key.startsWith(prefix)) return undefined
      const [poolText, part, ...more] = key.slice(prefix.length).split('/')
      const pool = readPoolId(poolText)
      if (pool === undefined || more.length > 0) return undefined
      return isPart(pool, part) ? { pool: pool.id, part } : undefined
    },
    encode: (value) => JSON.stringify(value),
    decode: (text) => decodeJson(text, isValue),
    agrees: () => true,
  }
}

function isPoolRecord(value: unknown): value is PoolRecord {
  if (!isRecord(value) || !isPoolId(value['id'])) return false
  const { reserved } = value
  return Array.isArray(reserved) && reserved.every((one) => isIpAddress(one))
}

function isBlockRecord(value: unknown): value is BlockRecord {
  if (!isRecord(value) || !isRecord(value['lent'])) return false
  const { owner, lent } = value
  return (
    (owner === null || isHostId(owner)) &&
    Object.entries(lent).every(([address, host]) => isIpAddress(address) && isHostId(host))
  )
}

function isHolderRecord(value: unknown): value is HolderRecord {
  return isRecord(value) && typeof value['nickname'] === 'string'
}

function isSingleRecord(value: unknown): value is SingleRecord {
  return isRecord(value) && isHostId(value['owner'])
}

function decodeJson<T>(text: string, isValid: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isValid(value) ? value : undefined
  } catch {
    return undefined
  }
}
