/**
 * Which links does this network namespace have, and how are they set up?
 *
 * The trap: a veth's other end may be in another namespace, where its index means another link.
 * `peerIndex` alone therefore identifies nothing; it only says that the end was elsewhere.
 */

import { ipFromBytes, isIfIndex, macFromBytes } from '../model/address.ts'
import type { IfIndex, IpAddress, Mac } from '../model/address.ts'
import {
  attribute,
  join,
  readAttributes,
  readBigU16,
  readNested,
  readText,
  readU32,
  readU8,
  text,
  u32,
} from './attribute.ts'
import type { Attributes } from './attribute.ts'
import { isNetlinkError } from './errors.ts'
import {
  DEVCONF_ACCEPT_RA,
  DEVCONF_DISABLE_IPV6,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_AF_SPEC,
  IFLA_BRPORT_BCAST_FLOOD,
  IFLA_BRPORT_ISOLATED,
  IFLA_BRPORT_LEARNING,
  IFLA_BRPORT_MCAST_FLOOD,
  IFLA_BRPORT_NEIGH_SUPPRESS,
  IFLA_BRPORT_UNICAST_FLOOD,
  IFLA_BR_AGEING_TIME,
  IFLA_BR_MCAST_SNOOPING,
  IFLA_EXT_MASK,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INET6_ADDR_GEN_MODE,
  IFLA_INET6_CONF,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_INFO_SLAVE_DATA,
  IFLA_INFO_SLAVE_KIND,
  IFLA_LINK,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_VXLAN_ID,
  IFLA_VXLAN_LEARNING,
  IFLA_VXLAN_LOCAL,
  IFLA_VXLAN_LOCAL6,
  IFLA_VXLAN_PORT,
  IN6_ADDR_GEN_MODE_NONE,
  RTM_GETLINK,
  linkHeader,
  linkHeaderBytes,
} from './link-uapi.ts'
import type { Request } from './message.ts'
import type { RouteSocket } from './socket.ts'
import { AF_INET6 } from './uapi.ts'

export interface Link {
  readonly index: IfIndex
  readonly name: string
  /** The kernel's word: `bridge`, `vxlan`, `veth`, …; empty for hardware and loopback. */
  readonly kind: string
  readonly mtuBytes: number
  /** Switched on by its owner; says nothing about a carrier. */
  readonly up: boolean
  readonly mac?: Mac
  /** The bridge (or bond) that it is a port of. */
  readonly master?: IfIndex
  readonly alias?: string
  /** The other end's index, in whatever namespace that is. */
  readonly peerIndex?: number
  /** Absent where the kernel's IPv6 takes no part: below an MTU of 1280, or on the whole machine. */
  readonly ipv6?: LinkIpv6
  readonly vxlan?: Tunnel
  readonly bridge?: Bridge
  readonly port?: Port
}

export interface LinkIpv6 {
  /** Off by `disable_ipv6`: the kernel keeps no neighbours here then. */
  readonly enabled: boolean
  /** The kernel gives it a link-local address when it is switched on. */
  readonly takesLinkLocal: boolean
  /** The kernel takes addresses and routes from advertisements that arrive here. */
  readonly acceptsRouters: boolean
}

export interface Tunnel {
  readonly vni: number
  readonly local?: IpAddress
  readonly port: number
  readonly learning: boolean
}

export interface Bridge {
  readonly multicastSnooping: boolean
  readonly ageingSeconds: number
}

/** How a bridge treats one of its ports. */
export interface Port {
  /** Notes which addresses send here. */
  readonly learning: boolean
  /** Answers for neighbours behind this port, and does not send such questions to it. */
  readonly neighbourSuppression: boolean
  /** Sends frames for unknown addresses here; likewise the two below for their kind. */
  readonly unicastFlood: boolean
  readonly multicastFlood: boolean
  readonly broadcastFlood: boolean
  /** Exchanges frames with ports that are not isolated only. */
  readonly isolated: boolean
}

/** linux/rtnetlink.h: leaves out the statistics, most of a link's bytes. */
const RTEXT_FILTER_SKIP_STATS = 8
/** The kernel counts such times in USER_HZ. */
const ticksPerSecond = 100

export async function listLinks(socket: RouteSocket): Promise<readonly Link[]> {
  const bodies = await socket.dump(encodeGetLink())
  return bodies.map(decodeLink).filter((link) => link !== undefined)
}

/** Undefined when there is none. */
export async function findLink(
  socket: RouteSocket,
  link: IfIndex | string,
): Promise<Link | undefined> {
  try {
    const [body] = await socket.get(encodeGetLink(link))
    return body === undefined ? undefined : decodeLink(body)
  } catch (error) {
    if (isNetlinkError(error, 'ENODEV')) return undefined
    throw error
  }
}

export function encodeGetLink(link?: IfIndex | string): Request {
  const name = typeof link === 'string' ? attribute(IFLA_IFNAME, text(link)) : undefined
  const index = typeof link === 'number' ? link : 0
  return {
    type: RTM_GETLINK,
    flags: 0,
    body: join([
      linkHeader({ index }),
      name,
      attribute(IFLA_EXT_MASK, u32(RTEXT_FILTER_SKIP_STATS)),
    ]),
    what: link === undefined ? 'list links' : `read link ${link}`,
  }
}

export function decodeLink(body: Buffer): Link | undefined {
  if (body.length < linkHeaderBytes) return undefined
  const index = body.readInt32LE(4)
  const attributes = readAttributes(body, linkHeaderBytes)
  if (!isIfIndex(index)) return undefined
  const info = readNested(attributes, IFLA_LINKINFO)
  const kind = readText(info, IFLA_INFO_KIND) ?? ''
  return {
    index,
    name: readText(attributes, IFLA_IFNAME) ?? '',
    kind,
    mtuBytes: readU32(attributes, IFLA_MTU) ?? 0,
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
    ...optionalFacts(attributes),
    ...kindFacts(kind, readNested(info, IFLA_INFO_DATA)),
    ...portFacts(info),
  }
}

function optionalFacts(attributes: Attributes): Partial<Link> {
  const mac = macFromBytes(attributes.get(IFLA_ADDRESS) ?? new Uint8Array())
  const master = readU32(attributes, IFLA_MASTER)
  const alias = readText(attributes, IFLA_IFALIAS)
  const peerIndex = readU32(attributes, IFLA_LINK)
  const ipv6 = decodeIpv6(readNested(readNested(attributes, IFLA_AF_SPEC), AF_INET6))
  return {
    ...(mac === undefined ? {} : { mac }),
    ...(isIfIndex(master) ? { master } : {}),
    ...(alias === undefined ? {} : { alias }),
    ...(peerIndex === undefined ? {} : { peerIndex }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
  }
}

function decodeIpv6(inet6: Attributes): LinkIpv6 | undefined {
  const settings = inet6.get(IFLA_INET6_CONF)
  if (settings === undefined) return undefined
  function isSet(place: number): boolean {
    return settings !== undefined && settings.readInt32LE(place * 4) !== 0
  }
  return {
    enabled: !isSet(DEVCONF_DISABLE_IPV6),
    takesLinkLocal: readU8(inet6, IFLA_INET6_ADDR_GEN_MODE) !== IN6_ADDR_GEN_MODE_NONE,
    acceptsRouters: isSet(DEVCONF_ACCEPT_RA),
  }
}

function kindFacts(kind: string, data: Attributes): Partial<Link> {
  if (kind === 'vxlan') return { vxlan: decodeTunnel(data) }
  if (kind !== 'bridge') return {}
  return {
    bridge: {
      multicastSnooping: readU8(data, IFLA_BR_MCAST_SNOOPING) === 1,
      ageingSeconds: (readU32(data, IFLA_BR_AGEING_TIME) ?? 0) / ticksPerSecond,
    },
  }
}

/** Exactly one of the two address attributes is there, zero when the tunnel is bound to none. */
function decodeTunnel(data: Attributes): Tunnel {
  const bytes = data.get(IFLA_VXLAN_LOCAL) ?? data.get(IFLA_VXLAN_LOCAL6) ?? new Uint8Array()
  const local = bytes.some((byte) => byte !== 0) ? ipFromBytes(bytes) : undefined
  return {
    vni: readU32(data, IFLA_VXLAN_ID) ?? 0,
    ...(local === undefined ? {} : { local }),
    port: readBigU16(data, IFLA_VXLAN_PORT) ?? 0,
    learning: readU8(data, IFLA_VXLAN_LEARNING) === 1,
  }
}

function portFacts(info: Attributes): Partial<Link> {
  if (readText(info, IFLA_INFO_SLAVE_KIND) !== 'bridge') return {}
  const data = readNested(info, IFLA_INFO_SLAVE_DATA)
  return {
    port: {
      learning: isOn(data, IFLA_BRPORT_LEARNING),
      neighbourSuppression: isOn(data, IFLA_BRPORT_NEIGH_SUPPRESS),
      unicastFlood: isOn(data, IFLA_BRPORT_UNICAST_FLOOD),
      multicastFlood: isOn(data, IFLA_BRPORT_MCAST_FLOOD),
      broadcastFlood: isOn(data, IFLA_BRPORT_BCAST_FLOOD),
      isolated: isOn(data, IFLA_BRPORT_ISOLATED),
    },
  }
}

function isOn(data: Attributes, type: number): boolean {
  return readU8(data, type) === 1
}
