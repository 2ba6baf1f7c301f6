/**
 * Forwarding entries: which port of a bridge, and which host behind a tunnel, a MAC address is at.
 *
 * A container on another host needs two of them, on the same link, in two tables:
 *
 *   bridge table   MAC → tunnel port         else the bridge floods the frame to all its ports
 *   tunnel table   MAC → underlay address    else the tunnel sends it to all its default destinations
 *
 * The trap: in the bridge's table "permanent" means "this is my own address, hand it to the host's
 * IP stack". Ours are therefore static: NOARP, with REACHABLE because the tunnel insists on it.
 */

import { ipBytes, ipFromBytes, isIfIndex, macBytes, macFromBytes } from '../model/address.ts'
import type { IfIndex, IpAddress, Mac } from '../model/address.ts'
import { attribute, bigU16, join, readAttributes, readBigU16, readU32, u32 } from './attribute.ts'
import type { Attributes } from './attribute.ts'
import type { Request } from './message.ts'
import { neighbourHeader, neighbourHeaderBytes } from './neighbour.ts'
import type { RouteSocket } from './socket.ts'
import {
  AF_BRIDGE,
  NDA_DST,
  NDA_LLADDR,
  NDA_MASTER,
  NDA_PORT,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  NTF_MASTER,
  NTF_SELF,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from './uapi.ts'

export interface ForwardingEntry {
  /** The bridge's port (or the bridge, for its own address), or the tunnel. */
  readonly link: IfIndex
  readonly table: 'bridge' | 'tunnel'
  /** All zero in a tunnel's default destinations. */
  readonly mac: Mac
  /** Underlay address; tunnel only. */
  readonly host?: IpAddress
  /** UDP port where it differs from the tunnel's own; tunnel only. */
  readonly port?: number
  /** `local` is one of the bridge's or port's own addresses; `dynamic` was learned and will age. */
  readonly state: 'local' | 'static' | 'dynamic'
  /** The bridge; bridge table only. */
  readonly master?: IfIndex
}

export interface RemoteMac {
  readonly mac: Mac
  readonly host: IpAddress
  /** Only when it differs from the tunnel's own. */
  readonly port?: number
}

export interface Destination {
  readonly host: IpAddress
  readonly port?: number
}

const staticState = NUD_NOARP | NUD_REACHABLE
const everyMac = new Uint8Array(6)

/** Both tables of all links, or of one bridge and its ports. */
export async function listForwarding(
  socket: RouteSocket,
  options: { readonly bridge?: IfIndex } = {},
): Promise<readonly ForwardingEntry[]> {
  const { bridge } = options
  const bodies = await socket.dump({
    type: RTM_GETNEIGH,
    flags: 0,
    body: join([
      neighbourHeader({ family: AF_BRIDGE, link: 0, state: 0, flags: 0 }),
      bridge === undefined ? undefined : attribute(NDA_MASTER, u32(bridge)),
    ]),
    what: 'list forwarding entries',
  })
  return bodies.map(decodeForwarding).filter((entry) => entry !== undefined)
}

/**
 * Sends frames for `mac` to `host`: both entries at once, replacing whatever the tables say now.
 *
 * @param tunnel must be a bridge's port, else `ENOTSUP`.
 */
export function encodeSetRemote(tunnel: IfIndex, { mac, host, port }: RemoteMac): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: join([
      header(tunnel, NTF_SELF | NTF_MASTER),
      attribute(NDA_LLADDR, macBytes(mac)),
      ...destination({ host, ...(port === undefined ? {} : { port }) }),
    ]),
    what: `forward ${mac} to ${host}`,
  }
}

/** Only the tunnel's own table; replaces the host that the MAC was at. */
export function encodeSetTunnelEntry(tunnel: IfIndex, remote: RemoteMac): Request {
  const { mac, ...to } = remote
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: join([
      header(tunnel, NTF_SELF),
      attribute(NDA_LLADDR, macBytes(mac)),
      ...destination(to),
    ]),
    what: `tunnel ${mac} to ${to.host}`,
  }
}

/** `ENOENT` when there is none. */
export function encodeDeleteTunnelEntry(tunnel: IfIndex, mac: Mac): Request {
  return {
    type: RTM_DELNEIGH,
    flags: 0,
    body: join([header(tunnel, NTF_SELF), attribute(NDA_LLADDR, macBytes(mac))]),
    what: `stop tunnelling ${mac}`,
  }
}

/** Only the bridge's table; moves the MAC here from another port of the same bridge. */
export function encodeSetBridgeEntry(port: IfIndex, mac: Mac): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: join([header(port, NTF_MASTER), attribute(NDA_LLADDR, macBytes(mac))]),
    what: `forward ${mac} to port ${port}`,
  }
}

/** `ENOENT` when there is none at this port. */
export function encodeDeleteBridgeEntry(port: IfIndex, mac: Mac): Request {
  return {
    type: RTM_DELNEIGH,
    flags: 0,
    body: join([header(port, NTF_MASTER), attribute(NDA_LLADDR, macBytes(mac))]),
    what: `stop forwarding ${mac} to port ${port}`,
  }
}

/** Adds a host that gets every frame for an unknown MAC, broadcasts included. Repeating is harmless. */
export function encodeAddDefault(tunnel: IfIndex, to: Destination): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_APPEND,
    body: join([header(tunnel, NTF_SELF), attribute(NDA_LLADDR, everyMac), ...destination(to)]),
    what: `flood to ${to.host}`,
  }
}

/** The port must be given exactly as it was added. `ENOENT` when there are no defaults at all. */
export function encodeDeleteDefault(tunnel: IfIndex, to: Destination): Request {
  return {
    type: RTM_DELNEIGH,
    flags: 0,
    body: join([header(tunnel, NTF_SELF), attribute(NDA_LLADDR, everyMac), ...destination(to)]),
    what: `stop flooding to ${to.host}`,
  }
}

/** Undefined for what is in neither table: the addresses that a network card listens to. */
export function decodeForwarding(body: Buffer): ForwardingEntry | undefined {
  const attributes = readAttributes(body, neighbourHeaderBytes)
  const mac = macFromBytes(attributes.get(NDA_LLADDR) ?? everyMac)
  const link = body.readInt32LE(4)
  const placed = place(attributes)
  if (mac === undefined || !isIfIndex(link) || placed === undefined) return undefined
  return { link, mac, state: stateOf(body.readUInt16LE(8)), ...placed }
}

function place(
  attributes: Attributes,
): Pick<ForwardingEntry, 'table' | 'host' | 'port' | 'master'> | undefined {
  const master = readU32(attributes, NDA_MASTER)
  if (isIfIndex(master)) return { table: 'bridge', master }
  const host = ipFromBytes(attributes.get(NDA_DST) ?? new Uint8Array())
  if (host === undefined) return undefined
  const port = readBigU16(attributes, NDA_PORT)
  return { table: 'tunnel', host, ...(port === undefined ? {} : { port }) }
}

function stateOf(state: number): ForwardingEntry['state'] {
  if ((state & NUD_PERMANENT) !== 0) return 'local'
  return (state & NUD_NOARP) === 0 ? 'dynamic' : 'static'
}

function header(link: IfIndex, flags: number): Buffer {
  return neighbourHeader({ family: AF_BRIDGE, link, state: staticState, flags })
}

function destination({ host, port }: Destination): readonly (Buffer | undefined)[] {
  return [
    attribute(NDA_DST, ipBytes(host)),
    port === undefined ? undefined : attribute(NDA_PORT, bigU16(port)),
  ]
}
