/**
 * A name that somebody added by hand, beside those that containers have by themselves.
 *
 * It belongs to the host on which it was added, and is published under its lease.
 */

import { isIpAddress } from './address.ts'
import type { IpAddress } from './address.ts'
import type { Branded } from './brand.ts'
import { isHostId, isNetworkId, isRecord } from './cluster.ts'
import type { HostId, NetworkId } from './cluster.ts'
import { isName } from './name.ts'

/** 32 hex digits, made from what the name was added with: adding it twice is adding it once. */
export type StaticNameId = Branded<string, 'StaticNameId'>

export interface StaticName {
  readonly id: StaticNameId
  readonly host: HostId
  readonly name: string
  readonly addresses: readonly IpAddress[]
  /** The only one whose containers see it; all containers do when there is none. */
  readonly network?: NetworkId | undefined
  /** The first 12 hex digits of the ID of the container it was added for. */
  readonly container?: string | undefined
}

/** Of one name at a time: more would be a mistake, or a job for several commands. */
export const maxAddresses = 64

const idText = /^[0-9a-f]{32}$/

export function isStaticNameId(value: unknown): value is StaticNameId {
  return typeof value === 'string' && idText.test(value)
}

export function isStaticName(value: unknown): value is StaticName {
  if (!isRecord(value)) return false
  const { network, container, addresses } = value
  return (
    isStaticNameId(value['id']) &&
    isHostId(value['host']) &&
    isName(value['name']) &&
    Array.isArray(addresses) &&
    addresses.every((one) => isIpAddress(one)) &&
    (network === undefined || isNetworkId(network)) &&
    (container === undefined || typeof container === 'string')
  )
}
