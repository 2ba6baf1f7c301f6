/**
 * The key schema: the one place that knows how records are laid out in the store.
 *
 *   /weave/v1/cluster                               which cluster this store belongs to
 *   /weave/v1/hosts/<host>                          a live host, under its lease
 *   /weave/v1/networks/<network>                    subnets, VNI, options
 *   /weave/v1/vnis/<vni>                            the network that owns a VNI: keeps it unique
 *   /weave/v1/endpoints/<network>/<host>/<endpoint> one attachment, under the host's lease
 *   /weave/v1/definitions/<driver>/<name>           how to make a network on engines without a store
 *
 * A user's prefix (`etcd://…/prefix`) is put in front by the store client, not here.
 *
 * Old and new routers share a cluster during an upgrade. A change that an old router cannot read
 * therefore needs a new version segment and a migration, never an edit here.
 */

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

export const clusterKey = `${root}cluster`

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
  decode: (text) => decodeJson(text, isEndpoint),
  agrees: ({ network, host, id }, key) =>
    network === key.network && host === key.host && id === key.endpoint,
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

function decodeJson<T>(text: string, isValid: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isValid(value) ? value : undefined
  } catch {
    return undefined
  }
}
