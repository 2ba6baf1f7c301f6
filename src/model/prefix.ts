/**
 * An address together with the length of its network part, as in `10.32.0.5/12`.
 *
 * Used both for a subnet (host bits zero) and for an interface's address inside one; `networkOf`
 * turns the second into the first. Text is canonical for the same reason as in `address.ts`.
 */

import { ipBytes, ipFromBytes, isIpv4, parseIp } from './address.ts'
import type { IpAddress } from './address.ts'

export interface Prefix {
  readonly address: IpAddress
  /** Bits of the network part: 0–32 for IPv4, 0–128 for IPv6. */
  readonly length: number
}

const lengthText = /^(?:0|[1-9]\d{0,2})$/

/** Undefined unless `text` is ADDRESS/LENGTH with a length that its family allows. */
export function parsePrefix(text: string): Prefix | undefined {
  const [ip = '', bits = '', ...more] = text.split('/')
  const address = parseIp(ip)
  if (address === undefined || more.length > 0 || !lengthText.test(bits)) return undefined
  const length = Number(bits)
  return length <= addressBits(address) ? { address, length } : undefined
}

export function formatPrefix({ address, length }: Prefix): string {
  return `${address}/${length}`
}

/** The subnet that a prefix lies in: the same with its host bits cleared. */
export function networkOf({ address, length }: Prefix): Prefix {
  const masked = ipBytes(address).map((byte, index) => byte & maskByte(length - index * 8))
  return { address: ipFromBytes(masked) ?? address, length }
}

/** Whether `address` lies in the subnet of `prefix`; never across families. */
export function contains(prefix: Prefix, address: IpAddress): boolean {
  if (addressBits(prefix.address) !== addressBits(address)) return false
  const inside = networkOf({ address, length: prefix.length })
  return inside.address === networkOf(prefix).address
}

/** Whether two subnets have an address in common. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? contains(a, b.address) : contains(b, a.address)
}

export function addressBits(address: IpAddress): 32 | 128 {
  return isIpv4(address) ? 32 : 128
}

/** The mask of one byte of which the first `bits` (any integer) belong to the network part. */
function maskByte(bits: number): number {
  return (0xff00 >> Math.min(8, Math.max(0, bits))) & 0xff
}
