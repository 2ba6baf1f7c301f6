/**
 * Neighbour entries: which MAC address an IP address has, in the kernel's ARP and ND tables.
 *
 * Ours sit on a bridge that has no address itself: the bridge answers its containers' questions from
 * this table, provided that it has a forwarding entry for the MAC at a port with neighbour suppression.
 *
 * The trap: the table has a size limit, but permanent entries are exempt from it; ours must be permanent.
 */

import {
  ipBytes,
  ipFromBytes,
  isIfIndex,
  isIpv4,
  macBytes,
  macFromBytes,
} from '../model/address.ts'
import type { IfIndex, IpAddress, Mac } from '../model/address.ts'
import { attribute, join, readAttributes, u32 } from './attribute.ts'
import type { Request } from './message.ts'
import type { RouteSocket } from './socket.ts'
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  NDA_DST,
  NDA_IFINDEX,
  NDA_LLADDR,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  NUD_PERMANENT,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from './uapi.ts'

export interface Neighbour {
  readonly link: IfIndex
  readonly ip: IpAddress
  /** Absent while the kernel is still asking. */
  readonly mac?: Mac
  readonly permanent: boolean
}

export const neighbourHeaderBytes = 12

/**
 *  struct ndmsg (linux/neighbour.h)
 *  0        1     4       8       10      11     12
 *  family   pad   index   state   flags   type
 */
export function neighbourHeader(options: {
  readonly family: number
  readonly link: number
  readonly state: number
  readonly flags: number
}): Buffer {
  const bytes = Buffer.alloc(neighbourHeaderBytes)
  bytes.writeUInt8(options.family, 0)
  bytes.writeInt32LE(options.link, 4)
  bytes.writeUInt16LE(options.state, 8)
  bytes.writeUInt8(options.flags, 10)
  return bytes
}

/** Of both families; of all links, or of one. */
export async function listNeighbours(
  socket: RouteSocket,
  options: { readonly link?: IfIndex } = {},
): Promise<readonly Neighbour[]> {
  const { link } = options
  const bodies = await socket.dump({
    type: RTM_GETNEIGH,
    flags: 0,
    body: join([
      neighbourHeader({ family: AF_UNSPEC, link: 0, state: 0, flags: 0 }),
      link === undefined ? undefined : attribute(NDA_IFINDEX, u32(link)),
    ]),
    what: 'list neighbours',
  })
  return bodies.map(decodeNeighbour).filter((entry) => entry !== undefined)
}

/** Replaces what the table says about `ip`; repeating it changes nothing. */
export function encodeSetNeighbour(
  link: IfIndex,
  { ip, mac }: { readonly ip: IpAddress; readonly mac: Mac },
): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: join([
      neighbourHeader({ family: familyOf(ip), link, state: NUD_PERMANENT, flags: 0 }),
      attribute(NDA_DST, ipBytes(ip)),
      attribute(NDA_LLADDR, macBytes(mac)),
    ]),
    what: `set neighbour ${ip}`,
  }
}

/** `ENOENT` when there is none. */
export function encodeDeleteNeighbour(link: IfIndex, ip: IpAddress): Request {
  return {
    type: RTM_DELNEIGH,
    flags: 0,
    body: join([
      neighbourHeader({ family: familyOf(ip), link, state: 0, flags: 0 }),
      attribute(NDA_DST, ipBytes(ip)),
    ]),
    what: `delete neighbour ${ip}`,
  }
}

export function decodeNeighbour(body: Buffer): Neighbour | undefined {
  if (body.length < neighbourHeaderBytes) return undefined
  const attributes = readAttributes(body, neighbourHeaderBytes)
  const link = body.readInt32LE(4)
  const ip = ipFromBytes(attributes.get(NDA_DST) ?? new Uint8Array())
  if (!isIfIndex(link) || ip === undefined) return undefined
  const mac = macFromBytes(attributes.get(NDA_LLADDR) ?? new Uint8Array())
  const permanent = (body.readUInt16LE(8) & NUD_PERMANENT) !== 0
  return { link, ip, permanent, ...(mac === undefined ? {} : { mac }) }
}

function familyOf(ip: IpAddress): number {
  return isIpv4(ip) ? AF_INET : AF_INET6
}
