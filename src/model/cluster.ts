/**
 * The nouns that all hosts of a cluster share: hosts, networks, endpoints.
 *
 *   host       a machine that runs a router; the authority on its own endpoints
 *   network    one isolated layer-2 segment across hosts; has one VNI
 *   endpoint   one container's attachment to one network, on one host
 *
 * IDs come from outside (Docker, other hosts, etcd) and become parts of keys, file names and API
 * paths. Their guards therefore allow nothing that could mean something there.
 */

import { isIpAddress, isUnicastMac } from './address.ts'
import type { IpAddress, Mac } from './address.ts'
import type { Branded } from './brand.ts'
import type { Naming } from './name.ts'

/** 32 random hex digits made once per installation and kept on disk, or a name chosen at launch. */
export type HostId = Branded<string, 'HostId'>
/** Docker's network ID (global scope), or the name of a segment (local scope). */
export type NetworkId = Branded<string, 'NetworkId'>
/** Docker's endpoint ID: 64 hex digits in practice, any token in principle. */
export type EndpointId = Branded<string, 'EndpointId'>
/** VXLAN network identifier: 1 to 2^24 - 1 (RFC 7348). */
export type Vni = Branded<number, 'Vni'>

export interface Host {
  readonly id: HostId
  /** For people: the host name unless chosen at launch. Not unique. */
  readonly nickname: string
  /** Where other hosts reach this one: underlay address of the tunnel and of the control port. */
  readonly address: IpAddress
  /** TCP port on which other routers are answered. */
  readonly controlPort: number
  /** UDP port of VXLAN on this host. */
  readonly dataPort: number
  /** Random per router start; tells a restarted router from a cloned machine. */
  readonly instance: string
  readonly version: string
  /** Subnets that this host has routes to: a network with one of them would cut it off. */
  readonly routes?: readonly string[] | undefined
}

export interface Network {
  readonly id: NetworkId
  readonly vni: Vni
  /** Subnets in CIDR text, for people and for checks; may be empty when never told. */
  readonly subnets: readonly string[]
  /** Asked for by the user; the router lowers it to what the underlay carries. */
  readonly mtuBytes?: number | undefined
  /** Containers get a route for 224.0.0.0/4 into this network. */
  readonly multicast: boolean
}

export interface Endpoint {
  readonly id: EndpointId
  readonly network: NetworkId
  readonly host: HostId
  readonly mac: Mac
  /** Bare addresses, at most one per family. */
  readonly addresses: readonly IpAddress[]
  /** Absent until its host knows what its container is called. */
  readonly naming?: Naming | undefined
}

export const maxVni = 2 ** 24 - 1

const hostIdText = /^[a-z0-9][a-z0-9-]{0,62}$/
const idText = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

export function isHostId(value: unknown): value is HostId {
  return typeof value === 'string' && hostIdText.test(value)
}

export function isNetworkId(value: unknown): value is NetworkId {
  return typeof value === 'string' && idText.test(value)
}

export function isEndpointId(value: unknown): value is EndpointId {
  return typeof value === 'string' && idText.test(value)
}

export function isVni(value: unknown): value is Vni {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maxVni
}

export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535
}

export function isHost(value: unknown): value is Host {
  return (
    isRecord(value) &&
    isHostId(value['id']) &&
    isText(value['nickname']) &&
    isIpAddress(value['address']) &&
    isPort(value['controlPort']) &&
    isPort(value['dataPort']) &&
    isText(value['instance']) &&
    isText(value['version']) &&
    (value['routes'] === undefined || isListOf(value['routes'], isText))
  )
}

export function isNetwork(value: unknown): value is Network {
  return (
    isRecord(value) &&
    isNetworkId(value['id']) &&
    isVni(value['vni']) &&
    isListOf(value['subnets'], isText) &&
    (value['mtuBytes'] === undefined || Number.isInteger(value['mtuBytes'])) &&
    typeof value['multicast'] === 'boolean'
  )
}

/** But for `naming`: traffic must not depend on names, see `isNaming`. */
export function isEndpoint(value: unknown): value is Endpoint {
  return (
    isRecord(value) &&
    isEndpointId(value['id']) &&
    isNetworkId(value['network']) &&
    isHostId(value['host']) &&
    isUnicastMac(value['mac']) &&
    isListOf(value['addresses'], isIpAddress)
  )
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isListOf<T>(value: unknown, isItem: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every(isItem)
}
