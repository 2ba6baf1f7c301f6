/**
 * Everything of ours inside one container's network namespace: the sockets that its lookups come to and are passed on
 * from, and the rules (`name-rules.ts`) that send them there. Opened on one visit, so that a path that leads elsewhere a moment
 * later cannot mix two namespaces.
 *
 * The traps
 *   - A socket that is left open keeps a dead container's namespace. Each has one owner at any time: the foothold, or
 *     whoever took it.
 *   - The rules end with the netlink socket; but closing it while they are there takes the kernel 30 ms, and likewise for
 *     a moment after they were deleted.
 *   - libuv lets every UDP socket that it is given share its port (SO_REUSEADDR). Any user in the container could then
 *     bind to it, and answer in our place.
 */

import type { Ipv4 } from '../model/address.ts'
import { u32 } from './attribute.ts'
import { openInet, portOf, refuseSharing } from './inet.ts'
import { close, duplicate, sendNow, setOption } from './libc.ts'
import { createNameRedirect } from './name-redirect.ts'
import type { NameRedirect } from './name-redirect.ts'
import { passMark, resolverAddress } from './name-rules.ts'
import { openNetworkNamespace } from './netns.ts'
import type { NetworkNamespace } from './netns.ts'
import { commitBatch } from './nfnetlink.ts'
import { NETLINK_EXT_ACK, SOL_NETLINK, openNetlink } from './socket.ts'
import { NETLINK_NETFILTER } from './uapi.ts'

/** A bound socket, not yet listening. */
export interface BoundSocket {
  readonly port: number
  /** Once. From then on the taker closes it, as `dgram.bind({ fd })` and `net.Server.listen({ fd })` do. */
  readonly take: () => number
}

export interface Foothold extends Disposable {
  /** Of the namespace: the same path with another inode leads to another container. */
  readonly inode: bigint
  readonly udp: BoundSocket
  readonly tcp: BoundSocket
  /**
   * Sends lookups here, from the moment it returns until nobody has beaten for 4 s; again: makes sure of it. Both
   * sockets must be listening, for there is nobody else to answer.
   * @throws NetlinkError of what the kernel cannot do, or `EPERM` while the rules of another router are there, as those
   * of one that is about to end; lookups stay with whom they were.
   */
  readonly redirect: () => void
  /** Once a second, say. @returns false when the rules have gone: `redirect` again. */
  readonly beat: () => boolean
  /**
   * A new socket that the rules let by, the caller's to close. When Docker's resolver has moved (dockerd was started
   * anew), connection tracking goes on sending one that was in use to where it was: after a refusal, or silence,
   * take a new one.
   */
  readonly openUdp: () => number
  /** As `openUdp`, with a connection begun: for `new net.Socket({ fd })`. */
  readonly connectTcp: (address: Ipv4, port: number) => number
}

export interface FootholdOptions {
  /** False does as kernels before 5.12 do, where rules outlive their router by 4 s. */
  readonly owned?: boolean
}

/** Until a namespace's nftables have settled after a deletion. */
const settleMs = 200
const nothing = new Uint8Array()

/** @throws NetlinkError, or Node's own for the path; nothing is left behind then. */
export function openFoothold(path: string, { owned = true }: FootholdOptions = {}): Foothold {
  const namespace = openNetworkNamespace(path)
  const owner = createOwner()
  try {
    const sockets = namespace.run(() => openSockets(owner))
    return standOn(namespace, { ...sockets, owner, rules: createRules({ ...sockets, owned }) })
  } catch (error) {
    owner.closeAll()
    namespace[Symbol.dispose]()
    throw error
  }
}

interface Sockets {
  readonly netlink: number
  readonly heart: number
  readonly udp: number
  readonly tcp: number
  /** Another descriptor of `udp`, for that one will be somebody else's. */
  readonly guard: number
}

function openSockets(owner: Owner): Sockets {
  const bindTo = { address: resolverAddress, port: 0 }
  const udp = owner.add(openInet({ kind: 'datagram', bindTo }))
  const connectTo = { address: resolverAddress, port: portOf(udp) }
  return {
    udp,
    guard: owner.add(duplicate(udp)),
    tcp: owner.add(openInet({ kind: 'stream', bindTo })),
    heart: owner.add(openInet({ kind: 'datagram', mark: passMark, connectTo })),
    netlink: owner.add(openNetlink(NETLINK_NETFILTER)),
  }
}

function standOn(
  namespace: NetworkNamespace,
  parts: Sockets & { readonly owner: Owner; readonly rules: NameRedirect },
): Foothold {
  const { owner, rules, netlink, udp, tcp } = parts
  let isOpen = true
  function visit<T>(work: () => T): T {
    if (!isOpen) throw new Error('the foothold is closed')
    return namespace.run(work)
  }
  return {
    inode: namespace.inode,
    udp: { port: portOf(udp), take: () => owner.take(udp) },
    tcp: { port: portOf(tcp), take: () => owner.take(tcp) },
    redirect: () => visit(rules.load),
    beat: () => isOpen && rules.beat(),
    openUdp: () => visit(() => openInet({ kind: 'datagram', mark: passMark })),
    connectTcp: (address, port) =>
      visit(() => openInet({ kind: 'stream', mark: passMark, connectTo: { address, port } })),
    [Symbol.dispose]() {
      if (!isOpen) return
      isOpen = false
      try {
        rules.unload()
      } finally {
        setTimeout(close, settleMs, owner.take(netlink)).unref()
        owner.closeAll()
        namespace[Symbol.dispose]()
      }
    },
  }
}

/** Its commands are carried out by `netlink`; `heart` sends what `name-rules.ts` calls a heartbeat. */
function createRules(options: Sockets & { readonly owned: boolean }): NameRedirect {
  const { netlink, heart, guard, udp, tcp, owned } = options
  setOption(netlink, SOL_NETLINK, NETLINK_EXT_ACK, u32(1))
  const redirect = createNameRedirect({
    udpPort: portOf(udp),
    tcpPort: portOf(tcp),
    owned,
    commit: (requests) => commitBatch(netlink, requests),
    sendBeat: () => sendNow(heart, nothing),
  })
  return {
    ...redirect,
    load() {
      refuseSharing(guard)
      redirect.load()
    },
  }
}

/** Open descriptors that somebody must close, and nobody twice: the number may be another's by then. */
interface Owner {
  readonly add: (fd: number) => number
  readonly take: (fd: number) => number
  readonly closeAll: () => void
}

function createOwner(): Owner {
  const mine = new Set<number>()
  return {
    add(fd) {
      mine.add(fd)
      return fd
    },
    take(fd) {
      if (!mine.delete(fd)) throw new Error(`file descriptor ${fd} was taken before`)
      return fd
    },
    closeAll() {
      for (const fd of mine) close(fd)
      mine.clear()
    },
  }
}
