/**
 * Changes and removes links that exist.
 *
 * The trap: a port's settings and its membership in a bridge cannot be changed by one message
 * (`ENOTSUP`), and the settings need the membership first. Hence `setLink` and `setPort`; both may
 * travel in one datagram, in this order.
 */

import { randomInt } from 'node:crypto'
import { macBytes } from '../model/address.ts'
import type { IfIndex, Mac } from '../model/address.ts'
import { attribute, join, nested, text, u32, u8 } from './attribute.ts'
import { isNetlinkError } from './errors.ts'
import type { NetlinkError } from './errors.ts'
import {
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_AF_SPEC,
  IFLA_BRPORT_BCAST_FLOOD,
  IFLA_BRPORT_ISOLATED,
  IFLA_BRPORT_LEARNING,
  IFLA_BRPORT_MCAST_FLOOD,
  IFLA_BRPORT_NEIGH_SUPPRESS,
  IFLA_BRPORT_UNICAST_FLOOD,
  IFLA_GROUP,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INET6_ADDR_GEN_MODE,
  IFLA_INFO_SLAVE_DATA,
  IFLA_INFO_SLAVE_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  IN6_ADDR_GEN_MODE_NONE,
  RTM_DELLINK,
  RTM_NEWLINK,
  linkHeader,
} from './link-uapi.ts'
import type { Port } from './link.ts'
import type { Request } from './message.ts'
import type { RouteSocket } from './socket.ts'
import { AF_INET6 } from './uapi.ts'

/** What is absent stays as it is. */
export interface LinkChange {
  readonly state?: 'up' | 'down'
  readonly master?: IfIndex | 'none'
  readonly mtuBytes?: number
  readonly alias?: string
  readonly mac?: Mac
  /** `none`: no link-local IPv6 address when it is next switched on. */
  readonly linkLocal?: 'none'
  /** A number that links may share, to be removed by it. */
  readonly group?: number
}

/** Groups are signed 32-bit numbers, and 0 is the one that every link is in at first. */
const groupLimit = 2 ** 31

/** @throws NetlinkError `ENODEV` when the link has gone. */
export async function setLink(
  socket: RouteSocket,
  link: IfIndex | string,
  change: LinkChange,
): Promise<void> {
  await socket.requestOne(encodeSetLink(link, change))
}

/** @throws NetlinkError `ENODEV` when the link has gone, `EINVAL` when it is no bridge's port. */
export async function setPort(
  socket: RouteSocket,
  link: IfIndex | string,
  port: Partial<Port>,
): Promise<void> {
  await socket.requestOne(encodeSetPort(link, port))
}

/** Takes up to 50 ms. A veth's other end goes too, wherever it is. Repeating it throws `ENODEV`. */
export async function deleteLink(socket: RouteSocket, link: IfIndex | string): Promise<void> {
  await socket.requestOne(encodeDeleteLink(link))
}

/**
 * Removes many links in the time of one: the kernel waits for its readers once, not once per link.
 *
 * The links are put into a group, which is then removed. Its number is random, because a group may be
 * left behind by a process that died in between, with links in it that are wanted again.
 *
 * @returns for each link its error, or undefined for success; one that has gone is `ENODEV`.
 */
export async function deleteLinks(
  socket: RouteSocket,
  links: readonly IfIndex[],
): Promise<readonly (NetlinkError | undefined)[]> {
  const group = randomInt(1, groupLimit)
  const errors = await socket.request(links.map((link) => encodeSetLink(link, { group })))
  const [error] = await socket.request([encodeDeleteGroup(group)])
  const isEmpty = isNetlinkError(error, 'ENODEV')
  return isEmpty ? errors : errors.map((refused) => refused ?? error)
}

export function encodeSetLink(link: IfIndex | string, change: LinkChange): Request {
  const { state, master, mtuBytes, alias, mac, linkLocal, group } = change
  const flags = state === undefined ? {} : { flags: state === 'up' ? IFF_UP : 0, change: IFF_UP }
  return {
    type: RTM_NEWLINK,
    flags: 0,
    body: join([
      ...target(link, flags),
      mtuBytes === undefined ? undefined : attribute(IFLA_MTU, u32(mtuBytes)),
      mac === undefined ? undefined : attribute(IFLA_ADDRESS, macBytes(mac)),
      alias === undefined ? undefined : attribute(IFLA_IFALIAS, text(alias)),
      master === undefined
        ? undefined
        : attribute(IFLA_MASTER, u32(master === 'none' ? 0 : master)),
      linkLocal === undefined ? undefined : withoutLinkLocal(),
      group === undefined ? undefined : attribute(IFLA_GROUP, u32(group)),
    ]),
    what: `change link ${link}`,
  }
}

export function encodeSetPort(link: IfIndex | string, port: Partial<Port>): Request {
  const settings: readonly [number, boolean | undefined][] = [
    [IFLA_BRPORT_LEARNING, port.learning],
    [IFLA_BRPORT_UNICAST_FLOOD, port.unicastFlood],
    [IFLA_BRPORT_MCAST_FLOOD, port.multicastFlood],
    [IFLA_BRPORT_BCAST_FLOOD, port.broadcastFlood],
    [IFLA_BRPORT_NEIGH_SUPPRESS, port.neighbourSuppression],
    [IFLA_BRPORT_ISOLATED, port.isolated],
  ]
  const data = settings.map(([type, value]) =>
    value === undefined ? undefined : attribute(type, u8(value ? 1 : 0)),
  )
  return {
    type: RTM_NEWLINK,
    flags: 0,
    body: join([
      ...target(link),
      nested(IFLA_LINKINFO, [
        attribute(IFLA_INFO_SLAVE_KIND, text('bridge')),
        nested(IFLA_INFO_SLAVE_DATA, data),
      ]),
    ]),
    what: `change bridge port ${link}`,
  }
}

export function encodeDeleteLink(link: IfIndex | string): Request {
  return { type: RTM_DELLINK, flags: 0, body: join(target(link)), what: `delete link ${link}` }
}

function encodeDeleteGroup(group: number): Request {
  const body = join([linkHeader({}), attribute(IFLA_GROUP, u32(group))])
  return { type: RTM_DELLINK, flags: 0, body, what: `delete links of group ${group}` }
}

/** An index stays right when a link is renamed, a name when it is made anew. */
function target(
  link: IfIndex | string,
  flags: { readonly flags?: number; readonly change?: number } = {},
): readonly (Buffer | undefined)[] {
  if (typeof link === 'number') return [linkHeader({ index: link, ...flags })]
  return [linkHeader(flags), attribute(IFLA_IFNAME, text(link))]
}

function withoutLinkLocal(): Buffer {
  const mode = attribute(IFLA_INET6_ADDR_GEN_MODE, u8(IN6_ADDR_GEN_MODE_NONE))
  return nested(IFLA_AF_SPEC, [nested(AF_INET6, [mode])])
}
