/**
 * The requests of Docker's network driver protocol, as checked values.
 *
 * Tolerant where Go is (see `go-json.ts`), strict where a wrong value could do harm: IDs become
 * parts of keys and file names, an empty one must not match anything, addresses must be addresses.
 */

import { z } from 'zod'
import { isUnicastMac, parseIp } from '../model/address.ts'
import type { IpAddress, Mac } from '../model/address.ts'
import { isEndpointId, isNetworkId } from '../model/cluster.ts'
import type { EndpointId, NetworkId } from '../model/cluster.ts'
import { formatPrefix, parsePrefix } from '../model/prefix.ts'
import { goFlag, goList, goMap, goObject, goText } from './go-json.ts'

const networkId = z.custom<NetworkId>(isNetworkId, 'not a network ID')
const endpointId = z.custom<EndpointId>(isEndpointId, 'not an endpoint ID')

/** ADDRESS/LENGTH in canonical spelling, or empty. */
const prefixOrEmpty = goText.transform((text, context) => {
  const prefix = parsePrefix(text)
  if (prefix !== undefined) return formatPrefix(prefix)
  if (text !== '') context.addIssue({ code: 'custom', message: 'not ADDRESS/LENGTH' })
  return ''
})

/** Undefined when empty. A prefix length, which some engines add, says nothing. */
const addressOrEmpty = goText.transform((text, context): IpAddress | undefined => {
  const address = parseIp(text.replace(/\/\d+$/, ''))
  if (address === undefined && text !== '') {
    context.addIssue({ code: 'custom', message: 'not an IP address' })
  }
  return address
})

const macOrEmpty = goText.transform((text, context): Mac | undefined => {
  const mac = text.toLowerCase()
  if (isUnicastMac(mac)) return mac
  if (mac !== '') context.addIssue({ code: 'custom', message: 'not a MAC address of an interface' })
  return undefined
})

const ipamData = goObject({
  AddressSpace: goText,
  /** The subnet. */
  Pool: prefixOrEmpty,
  Gateway: prefixOrEmpty,
})

export const createNetworkRequest = goObject({
  NetworkID: networkId,
  Options: goMap,
  IPv4Data: goList(ipamData),
  IPv6Data: goList(ipamData),
})

export const networkRequest = goObject({ NetworkID: networkId })

export const createEndpointRequest = goObject({
  NetworkID: networkId,
  EndpointID: endpointId,
  Interface: goObject({
    Address: prefixOrEmpty,
    AddressIPv6: prefixOrEmpty,
    MacAddress: macOrEmpty,
  }).optional(),
})

export const joinRequest = goObject({
  NetworkID: networkId,
  EndpointID: endpointId,
  SandboxKey: goText,
})

export const endpointRequest = goObject({ NetworkID: networkId, EndpointID: endpointId })

export const allocateNetworkRequest = goObject({ NetworkID: networkId, Options: goMap })

const nodeData = goObject({ Address: goText, Self: z.boolean().nullish() })

/** DiscoveryType of a node; others are of no use to a driver from outside. */
const nodeDiscovery = 1

export interface DiscoveredNode {
  readonly address: IpAddress
  /** It is this host itself. */
  readonly isSelf: boolean
}

/** Without a node when it tells of something else, or of an address that is none. */
export const discoveryRequest = goObject({
  DiscoveryType: z.unknown(),
  DiscoveryData: z.unknown(),
}).transform(({ DiscoveryType, DiscoveryData }): { node?: DiscoveredNode } => {
  const data = nodeData.safeParse(DiscoveryData).data
  const address = parseIp(data?.Address ?? '')
  if (DiscoveryType !== nodeDiscovery || address === undefined) return {}
  return { node: { address, isSelf: data?.Self === true } }
})

export const requestPoolRequest = goObject({
  AddressSpace: goText,
  /** Empty: one is to be chosen. */
  Pool: prefixOrEmpty,
  /** `--ip-range` */
  SubPool: prefixOrEmpty,
  /** `--ipam-opt` */
  Options: goMap,
  V6: goFlag,
})

export const poolRequest = goObject({ PoolID: goText })

export const requestAddressRequest = goObject({
  PoolID: goText,
  Address: addressOrEmpty,
  Options: goMap,
})

export const releaseAddressRequest = goObject({ PoolID: goText, Address: addressOrEmpty })

export type RequestPoolRequest = z.infer<typeof requestPoolRequest>
export type RequestAddressRequest = z.infer<typeof requestAddressRequest>
export type IpamData = z.infer<typeof ipamData>
export type CreateNetworkRequest = z.infer<typeof createNetworkRequest>
export type CreateEndpointRequest = z.infer<typeof createEndpointRequest>
export type JoinRequest = z.infer<typeof joinRequest>
export type EndpointRequest = z.infer<typeof endpointRequest>
