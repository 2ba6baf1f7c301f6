/** How big a packet between containers may be, so that it fits the underlay once it is wrapped. */

import { isIpv4 } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'

/** Inner Ethernet 14, UDP 8, VXLAN 8 (RFC 7348) and the outer IP header of 20 or 40 bytes. */
const overheadBytes = { ipv4: 50, ipv6: 70 }

/** @param underlayBytes MTU of the interface that has `address`. */
export function overlayMtuBytes(underlayBytes: number, address: IpAddress): number {
  return underlayBytes - (isIpv4(address) ? overheadBytes.ipv4 : overheadBytes.ipv6)
}
