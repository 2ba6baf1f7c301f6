/**
 * Says "I am your router, and this is your prefix" (RFC 4861, 4.2) on a link, as any container can that may
 * open raw sockets. A kernel that listens takes an address and a default route from it.
 */

import { ipBytes, macBytes } from '../../src/model/address.ts'
import { bind, close, sendAsync, socket } from '../../src/netlink/libc.ts'
import { findLink } from '../../src/netlink/link.ts'
import { inNetworkNamespace } from '../../src/netlink/netns.ts'
import type { Namespace } from './namespace.ts'
import { ip, mac } from './values.ts'

// linux/socket.h, linux/if_ether.h, linux/in6.h
const AF_PACKET = 17
const SOCK_RAW = 3
const ETH_P_IPV6 = 0x86dd
const IPPROTO_ICMPV6 = 58

export async function advertiseRouter(
  space: Namespace,
  { link, prefix }: { readonly link: string; readonly prefix: string },
): Promise<void> {
  const found = await findLink(space.socket, link)
  const fd = inNetworkNamespace(`/run/netns/${space.name}`, () => socket(AF_PACKET, SOCK_RAW, 0))
  try {
    bind(fd, linkAddress(found?.index ?? 0))
    await sendAsync(fd, frame(prefix))
  } finally {
    close(fd)
  }
}

/** struct sockaddr_ll (linux/if_packet.h) */
function linkAddress(index: number): Buffer {
  const bytes = Buffer.alloc(20)
  bytes.writeUInt16LE(AF_PACKET, 0)
  bytes.writeUInt16BE(ETH_P_IPV6, 2)
  bytes.writeInt32LE(index, 4)
  return bytes
}

function frame(prefix: string): Buffer {
  const advertisement = Buffer.from('8600000040000708' + '00'.repeat(8) + '030440c0', 'hex')
  const lifetimes = Buffer.from('000151800001518000000000', 'hex')
  const icmp = Buffer.concat([advertisement, lifetimes, ipBytes(ip(prefix))])
  const addresses = Buffer.concat([ipBytes(ip('fe80::bad')), ipBytes(ip('ff02::1'))])
  const pseudoHeader = Buffer.from([0, 0, 0, icmp.length, 0, 0, 0, IPPROTO_ICMPV6])
  icmp.writeUInt16BE(checksum(Buffer.concat([addresses, pseudoHeader, icmp])), 2)
  const header = Buffer.from([0x60, 0, 0, 0, 0, icmp.length, IPPROTO_ICMPV6, 255])
  const ethernet = [macBytes(mac('33:33:00:00:00:01')), macBytes(mac('02:00:00:00:0b:ad'))]
  return Buffer.concat([...ethernet, Buffer.from([0x86, 0xdd]), header, addresses, icmp])
}

/** RFC 1071; of an even number of bytes. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  return ~sum & 0xffff
}
