/**
 * Makes the three kinds of link that a network consists of.
 *
 *   veth ── bridge ── tunnel (VXLAN) ──▶ other hosts
 *
 * The trap: aliases, a master and the wish for no link-local address are refused or ignored while a
 * link is being made; they follow in a message of their own. A crash in between leaves a link that
 * is ours by name and lacks something, which is for the caller's next pass to see and repair.
 *
 * All throw NetlinkError `EEXIST` when the name (or the VNI on that port) is taken.
 */

import { ipBytes, isIpv4, macBytes } from '../model/address.ts'
import type { IfIndex, IpAddress, Mac } from '../model/address.ts'
import { attribute, bigU16, join, nested, text, u16, u32, u8 } from './attribute.ts'
import { encodeSetLink, encodeSetPort } from './link-change.ts'
import {
  IFLA_ADDRESS,
  IFLA_BR_AGEING_TIME,
  IFLA_BR_FORWARD_DELAY,
  IFLA_BR_MCAST_SNOOPING,
  IFLA_BR_STP_STATE,
  IFLA_BR_VLAN_DEFAULT_PVID,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  IFLA_VXLAN_ID,
  IFLA_VXLAN_LEARNING,
  IFLA_VXLAN_LOCAL,
  IFLA_VXLAN_LOCAL6,
  IFLA_VXLAN_PORT,
  IFLA_VXLAN_UDP_CSUM,
  IFLA_VXLAN_UDP_ZERO_CSUM6_RX,
  IFLA_VXLAN_UDP_ZERO_CSUM6_TX,
  RTM_NEWLINK,
  VETH_INFO_PEER,
  linkHeader,
} from './link-uapi.ts'
import type { Request } from './message.ts'
import type { RouteSocket } from './socket.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from './uapi.ts'

export interface NewBridge {
  readonly name: string
  readonly mtuBytes: number
  /** Fixed, so that it does not follow the lowest address among the ports. */
  readonly mac: Mac
  readonly multicastSnooping: boolean
  /** How long a learned address is believed; matters only for ports that learn. */
  readonly ageingSeconds?: number
}

export interface NewTunnel {
  readonly name: string
  readonly mtuBytes: number
  readonly mac?: Mac
  /** 1 to 2^24 - 1. */
  readonly vni: number
  /** Source of what it sends; decides the family of all its destinations. */
  readonly local: IpAddress
  /** UDP; where it listens, and where it sends unless a forwarding entry says otherwise. */
  readonly port: number
}

export interface NewVeth {
  readonly host: VethEnd
  readonly container: VethEnd
  readonly mtuBytes: number
  /** The bridge of the host's end. */
  readonly master?: IfIndex | undefined
}

export interface VethEnd {
  readonly name: string
  readonly mac?: Mac
  readonly alias?: string
}

/** The kernel counts such times in USER_HZ. */
const ticksPerSecond = 100
const defaultAgeingSeconds = 300

/** A bridge without spanning tree, VLANs and addresses of its own. It is down. */
export async function createBridge(socket: RouteSocket, bridge: NewBridge): Promise<void> {
  await socket.requestOne(encodeCreateBridge(bridge))
  await socket.requestOne(encodeSetLink(bridge.name, { linkLocal: 'none' }))
}

/** A VXLAN device that learns nothing and knows no destination yet. It is down, and no port of anything. */
export async function createTunnel(socket: RouteSocket, tunnel: NewTunnel): Promise<void> {
  await socket.requestOne(encodeCreateTunnel(tunnel))
  await socket.requestOne(encodeSetLink(tunnel.name, { linkLocal: 'none' }))
}

/**
 * Both ends in the socket's namespace. The host's end becomes an ordinary port of `master`, up and
 * not learning, when one is given; otherwise it is down, as the container's always is. The
 * container's end keeps its link-local address.
 */
export async function createVeth(socket: RouteSocket, veth: NewVeth): Promise<void> {
  const errors = await socket.request(encodeMakeVeth(veth))
  const error = errors.find((found) => found !== undefined)
  if (error !== undefined) throw error
}

/** All in one datagram: the kernel carries them out in order, and we wait for it once. */
export function encodeMakeVeth(veth: NewVeth): readonly Request[] {
  const { host, container, master } = veth
  const named = [
    encodeCreateVeth(veth),
    encodeSetLink(host.name, { linkLocal: 'none', ...aliasOf(host) }),
    encodeSetLink(container.name, aliasOf(container)),
  ]
  if (master === undefined) return named
  return [
    ...named,
    encodeSetLink(host.name, { master }),
    encodeSetPort(host.name, { learning: false, neighbourSuppression: false }),
    encodeSetLink(host.name, { state: 'up' }),
  ]
}

export function encodeCreateBridge(bridge: NewBridge): Request {
  const { name, mtuBytes, mac, multicastSnooping, ageingSeconds = defaultAgeingSeconds } = bridge
  const data = [
    attribute(IFLA_BR_FORWARD_DELAY, u32(0)),
    attribute(IFLA_BR_AGEING_TIME, u32(ageingSeconds * ticksPerSecond)),
    attribute(IFLA_BR_STP_STATE, u32(0)),
    attribute(IFLA_BR_MCAST_SNOOPING, u8(multicastSnooping ? 1 : 0)),
    // Otherwise every forwarding entry is kept a second time, for VLAN 1.
    attribute(IFLA_BR_VLAN_DEFAULT_PVID, u16(0)),
  ]
  return create(`bridge ${name}`, [...endAttributes({ name, mac }, mtuBytes), kind('bridge', data)])
}

export function encodeCreateTunnel(tunnel: NewTunnel): Request {
  const { name, mtuBytes, mac, vni, local, port } = tunnel
  const data = [
    attribute(IFLA_VXLAN_ID, u32(vni)),
    attribute(isIpv4(local) ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, ipBytes(local)),
    attribute(IFLA_VXLAN_PORT, bigU16(port)),
    attribute(IFLA_VXLAN_LEARNING, u8(0)),
    ...zeroChecksum(local),
  ]
  return create(`tunnel ${name}`, [...endAttributes({ name, mac }, mtuBytes), kind('vxlan', data)])
}

export function encodeCreateVeth({ host, container, mtuBytes }: NewVeth): Request {
  const peer = [linkHeader({}), ...endAttributes(container, mtuBytes)]
  return create(`veth ${host.name}`, [
    ...endAttributes(host, mtuBytes),
    kind('veth', [nested(VETH_INFO_PEER, peer)]),
  ])
}

/** The inner packet is checked end to end; a second sum around it only costs. IPv6 needs both sides' consent. */
function zeroChecksum(local: IpAddress): readonly Buffer[] {
  if (isIpv4(local)) return [attribute(IFLA_VXLAN_UDP_CSUM, u8(0))]
  return [
    attribute(IFLA_VXLAN_UDP_ZERO_CSUM6_TX, u8(1)),
    attribute(IFLA_VXLAN_UDP_ZERO_CSUM6_RX, u8(1)),
  ]
}

function endAttributes(
  { name, mac }: { readonly name: string; readonly mac?: Mac | undefined },
  mtuBytes: number,
): readonly (Buffer | undefined)[] {
  return [
    attribute(IFLA_IFNAME, text(name)),
    attribute(IFLA_MTU, u32(mtuBytes)),
    mac === undefined ? undefined : attribute(IFLA_ADDRESS, macBytes(mac)),
  ]
}

function kind(name: string, data: readonly Buffer[]): Buffer {
  return nested(IFLA_LINKINFO, [
    attribute(IFLA_INFO_KIND, text(name)),
    nested(IFLA_INFO_DATA, data),
  ])
}

function create(what: string, attributes: readonly (Buffer | undefined)[]): Request {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: join([linkHeader({}), ...attributes]),
    what: `create ${what}`,
  }
}

function aliasOf({ alias }: VethEnd): { readonly alias?: string } {
  return alias === undefined ? {} : { alias }
}
