/** Literal values for tests: a typo is an error here, not a mystery later. */

import { isIfIndex, isMac, parseIp } from '../../src/model/address.ts'
import type { IfIndex, IpAddress, Mac } from '../../src/model/address.ts'
import { isEndpointId, isHostId, isNetworkId, isVni } from '../../src/model/cluster.ts'
import type { EndpointId, HostId, NetworkId, Vni } from '../../src/model/cluster.ts'
import { isStaticNameId } from '../../src/model/static-name.ts'
import type { StaticNameId } from '../../src/model/static-name.ts'

export function ip(text: string): IpAddress {
  return parseIp(text) ?? refuse(text)
}

export function mac(text: string): Mac {
  return isMac(text) ? text : refuse(text)
}

export function ifIndex(index: number): IfIndex {
  return isIfIndex(index) ? index : refuse(index)
}

export function hostId(text: string): HostId {
  return isHostId(text) ? text : refuse(text)
}

export function networkId(text: string): NetworkId {
  return isNetworkId(text) ? text : refuse(text)
}

export function endpointId(text: string): EndpointId {
  return isEndpointId(text) ? text : refuse(text)
}

export function staticNameId(text: string): StaticNameId {
  return isStaticNameId(text) ? text : refuse(text)
}

export function vni(value: number): Vni {
  return isVni(value) ? value : refuse(value)
}

function refuse(value: unknown): never {
  throw new Error(`not a valid value: ${String(value)}`)
}
