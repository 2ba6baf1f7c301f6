/** Which address does a name of the reverse trees ask about? (RFC 1035, section 3.5; RFC 3596, section 2.5) */

import { ipBytes, isIpv4, parseIp } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'

const ipv4Tree = /^(?<octets>(?:\d{1,3}\.){4})in-addr\.arpa$/i
const ipv6Tree = /^(?<nibbles>(?:[0-9a-f]\.){32})ip6\.arpa$/i

/** Undefined for all other names, also for a part of a tree. */
export function readReverse(name: string): IpAddress | undefined {
  const octets = ipv4Tree.exec(name)?.groups?.['octets']
  if (octets !== undefined) return parseIp(backwards(octets).join('.'))
  const nibbles = ipv6Tree.exec(name)?.groups?.['nibbles']
  if (nibbles === undefined) return undefined
  return parseIp(backwards(nibbles).join('').match(/.{4}/g)?.join(':') ?? '')
}

/** Inverse of `readReverse`. */
export function formatReverse(address: IpAddress): string {
  const bytes = [...ipBytes(address)].toReversed()
  if (isIpv4(address)) return `${bytes.join('.')}.in-addr.arpa`
  const nibbles = bytes.flatMap((byte) => [byte & 15, byte >> 4])
  return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa`
}

function backwards(parts: string): string[] {
  return parts.slice(0, -1).split('.').toReversed()
}
