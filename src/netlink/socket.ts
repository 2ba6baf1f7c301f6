/**
 * A route socket: asks the kernel of one network namespace about links, addresses and tables.
 *
 * The socket stays in the namespace it was opened in. One exchange at a time: answers carry only a
 * sequence number, and a dump's parts would otherwise mix with acknowledgements.
 *
 * The trap: removing a link takes the kernel up to 50 ms, spent inside `send`. It therefore runs on
 * libuv's thread pool, and the acknowledgements lie ready when it returns.
 */

import { endianness } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { deadlinePassed } from '../model/faults.ts'
import { u32 } from './attribute.ts'
import type { NetlinkError } from './errors.ts'
import { createExchange } from './exchange.ts'
import { bind, close, setOption, socket } from './libc.ts'
import type { Request } from './message.ts'
import { NETLINK_ROUTE, SOCK_CLOEXEC, SOCK_RAW, SOL_SOCKET } from './uapi.ts'

export interface RouteSocket extends Disposable {
  /**
   * Carries out all requests, in order, many per system call; a failed one does not stop the others.
   * @returns for each request its error, or undefined for success.
   */
  readonly request: (requests: readonly Request[]) => Promise<readonly (NetlinkError | undefined)[]>
  /** @throws NetlinkError when the kernel refuses. */
  readonly requestOne: (request: Request) => Promise<void>
  /** The bodies of all answers to a question about one object; usually one. */
  readonly get: (request: Request) => Promise<readonly Buffer[]>
  /**
   * The bodies of everything that matches, or an error: a list that changed while it was being read
   * is read again.
   */
  readonly dump: (request: Request) => Promise<readonly Buffer[]>
}

export interface RouteSocketOptions {
  /** Longest wait for one exchange, queueing included; `DEADLINE_PASSED` after that. */
  readonly deadlineMs?: number
}

// linux/socket.h, linux/netlink.h
const AF_NETLINK = 16
export const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
export const NETLINK_EXT_ACK = 11
const NETLINK_GET_STRICT_CHK = 12
// asm-generic/socket.h
const SO_RCVTIMEO = 20
const SO_RCVBUFFORCE = 33

/** Ours: acknowledgements of a full datagram fill a thousandth of it. */
const receiveBufferBytes = 8 << 20
const requestsPerDatagram = 100
const defaultDeadlineMs = 10_000

/** @throws NetlinkError `EPERM` without CAP_NET_ADMIN. */
export function openRouteSocket(options: RouteSocketOptions = {}): RouteSocket {
  const { deadlineMs = defaultDeadlineMs } = options
  const fd = openStrict()
  const { transact, question, list } = createExchange(fd)
  const lane = createLane({ deadlineMs, atEnd: () => close(fd) })

  async function request(
    requests: readonly Request[],
  ): Promise<readonly (NetlinkError | undefined)[]> {
    const outcomes: (NetlinkError | undefined)[] = []
    for (let at = 0; at < requests.length; at += requestsPerDatagram) {
      const batch = requests.slice(at, at + requestsPerDatagram)
      const what = batch[0]?.what ?? 'nothing'
      outcomes.push(...(await lane.run(what, async () => await transact(batch))))
    }
    return outcomes
  }

  return {
    request,
    async requestOne(one) {
      const [error] = await request([one])
      if (error !== undefined) throw error
    },
    async get(one) {
      return await lane.run(one.what, async () => await question(one))
    },
    async dump(one) {
      return await lane.run(one.what, async () => await list(one))
    },
    [Symbol.dispose]: lane.close,
  }
}

interface Lane {
  readonly run: <T>(what: string, work: () => Promise<T>) => Promise<T>
  readonly close: () => void
}

/** One piece of work at a time. It goes on when its asker has given up, and the next still waits for it. */
function createLane(options: { readonly deadlineMs: number; readonly atEnd: () => void }): Lane {
  let closed = false
  let tail: Promise<unknown> = Promise.resolve()
  return {
    async run(what, work) {
      if (closed) throw new Error(`${what}: the route socket is closed`)
      const result = tail.then(work)
      tail = result.catch(() => {})
      return await withDeadline(result, { what, ms: options.deadlineMs })
    },
    close() {
      if (closed) return
      closed = true
      void tail.then(options.atEnd)
    },
  }
}

/** A bound socket with every option that makes the kernel strict and talkative. */
function openStrict(): number {
  const fd = openNetlink()
  try {
    for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK]) {
      setOption(fd, SOL_NETLINK, option, u32(1))
    }
    setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, u32(receiveBufferBytes))
    setOption(fd, SOL_SOCKET, SO_RCVTIMEO, timeval(defaultDeadlineMs))
    return fd
  } catch (error) {
    close(fd)
    throw error
  }
}

/** A socket with a kernel-chosen port, in the calling thread's network namespace. */
export function openNetlink(protocol = NETLINK_ROUTE): number {
  if (endianness() !== 'LE') throw new Error('netlink is implemented for little-endian hosts only')
  const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)
  try {
    // struct sockaddr_nl: family, padding, port, groups
    const address = Buffer.alloc(12)
    address.writeUInt16LE(AF_NETLINK)
    bind(fd, address)
    return fd
  } catch (error) {
    close(fd)
    throw error
  }
}

function timeval(ms: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeBigInt64LE(BigInt(Math.floor(ms / 1000)), 0)
  bytes.writeBigInt64LE(BigInt((ms % 1000) * 1000), 8)
  return bytes
}

async function withDeadline<T>(
  work: Promise<T>,
  { what, ms }: { readonly what: string; readonly ms: number },
): Promise<T> {
  const done = new AbortController()
  const late = sleep(ms, undefined, { signal: done.signal }).then(() => {
    throw deadlinePassed(what, ms)
  })
  late.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    done.abort()
  }
}
