/**
 * How is a container's question handed on to the one resolver it would have asked without us?
 *
 * All go through one UDP socket, connected to that resolver: the kernel lets in no datagram of anybody else, and
 * says when nobody listens there.
 *
 * The trap: connection tracking sends the datagrams of a socket where it sent the first one. Docker's resolver gets
 * another port whenever dockerd starts; a socket of before would go on asking the old one. So a socket that is
 * refused is given up, and what waits is asked once more on a new one; one that nobody needs is closed.
 *
 * Invariants
 *   - Nothing of a query or reply is changed but the ID.
 *   - A question is forgotten after `pendingMs`; two that wait never have the same ID.
 */

import { createSocket } from 'node:dgram'
import type { Socket as UdpSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Socket } from 'node:net'
import { idOf, randomId, repliesTo, withId } from './match.ts'
import { askOnConnection, awaitReply } from './upstream.ts'
import type { Patience, ServerAddress, Upstream } from './upstream.ts'

export interface RelayOptions {
  /** The resolver. */
  readonly server: ServerAddress
  /** Makes a UDP socket for us to own: bound or not, but not connected. We make them if it is not given. */
  readonly openUdp?: () => number
  /** Opens a TCP connection to the resolver; it may still be connecting. Errors come as its events. */
  readonly connect: () => Socket
  /** Docker asks up to three servers, for 4 s each. */
  readonly pendingMs?: number
  /** How many may wait at once; further ones are not asked. */
  readonly mostPending?: number
  /** How long the UDP socket is kept that nothing waits for. */
  readonly idleMs?: number
}

export interface Relay extends Upstream {
  /** Whatever waits is answered with undefined. Idempotent. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

interface Pending {
  readonly query: Buffer
  readonly finish: (reply: Buffer | undefined) => void
  tries: number
}

const defaults = { pendingMs: 15_000, mostPending: 256, idleMs: 30_000 }
/** On a second socket only: nobody listens there if that is refused, too. */
const mostTries = 2

export function createRelay(options: RelayOptions): Relay {
  const { pendingMs, mostPending, connect, idleMs } = { ...defaults, ...options }
  const datagrams = createDatagrams({ open: () => connectedSocket(options), idleMs })
  const connections = new Set<Socket>()
  let closed: Promise<void> | undefined

  async function askByTcp(query: Buffer, patience: Patience): Promise<Buffer | undefined> {
    let connection: Socket | undefined
    try {
      connection = connect()
      connections.add(connection)
      return await askOnConnection(connection, query, patience)
    } catch {
      // No connection, no answer: what is wrong would be the same for UDP, and is told there.
      return undefined
    } finally {
      if (connection !== undefined) connections.delete(connection)
    }
  }

  return {
    async ask(query, transport, signal) {
      const full = datagrams.pending() + connections.size >= mostPending
      if (full || closed !== undefined || signal?.aborted === true) return undefined
      const ask = transport === 'tcp' ? askByTcp : datagrams.ask
      return ask(query, { timeoutMs: pendingMs, signal })
    },
    [Symbol.asyncDispose]() {
      for (const connection of connections) connection.destroy()
      return (closed ??= datagrams.close())
    },
  }
}

interface Datagrams {
  readonly ask: (query: Buffer, patience: Patience) => Promise<Buffer | undefined>
  readonly pending: () => number
  readonly close: () => Promise<void>
}

function createDatagrams({
  open,
  idleMs,
}: {
  readonly open: () => Promise<UdpSocket>
  readonly idleMs: number
}): Datagrams {
  const pending = new Map<number, Pending>()
  const line = createLine({ open, hear, onRefused: askAgain })
  const idle = setTimeout(() => {
    if (pending.size === 0) void line.hangUp()
    else idle.refresh()
  }, idleMs).unref()

  function send(id: number, one: Pending): void {
    one.tries += 1
    if (one.tries > mostTries) one.finish(undefined)
    else line.send(withId(one.query, id)).catch(() => one.finish(undefined))
  }
  function hear(message: Buffer): void {
    const found = message.length < 2 ? undefined : pending.get(idOf(message))
    if (found === undefined || !repliesTo(found.query, message)) return
    found.finish(withId(message, idOf(found.query)))
  }
  function askAgain(): void {
    for (const [id, one] of pending) send(id, one)
  }

  return {
    ask(query, patience) {
      const id = freeId(pending)
      return awaitReply(patience, (finish) => {
        const one = { query, finish, tries: 0 }
        pending.set(id, one)
        send(id, one)
        return () => {
          pending.delete(id)
          idle.refresh()
        }
      })
    },
    pending: () => pending.size,
    async close() {
      for (const { finish } of pending.values()) finish(undefined)
      clearTimeout(idle)
      await line.hangUp()
    },
  }
}

/** A socket to the resolver whenever one is needed. */
interface Line {
  /** @throws the system's error when no socket can be had. */
  readonly send: (message: Buffer) => Promise<void>
  /** The next message finds a new socket. */
  readonly hangUp: () => Promise<void>
}

function createLine({
  open,
  hear,
  onRefused,
}: {
  readonly open: () => Promise<UdpSocket>
  readonly hear: (message: Buffer) => void
  readonly onRefused: () => void
}): Line {
  const refused = new WeakSet<UdpSocket>()
  let current: Promise<UdpSocket> | undefined

  async function listening(): Promise<UdpSocket> {
    const socket = await open()
    socket.on('message', hear)
    socket.on('error', () => giveUp(socket))
    return socket
  }

  /** ECONNREFUSED, told once, to whoever uses the socket next: nobody listens where it leads. */
  function giveUp(socket: UdpSocket): void {
    if (refused.has(socket)) return
    refused.add(socket)
    void hangUp()
    onRefused()
  }

  async function hangUp(): Promise<void> {
    const before = current
    current = undefined
    const socket = await before?.catch(() => undefined)
    await new Promise<void>((resolve) => (socket === undefined ? resolve() : socket.close(resolve)))
  }

  return {
    async send(message) {
      current ??= listening()
      const socket = await current
      socket.send(message, (error) => {
        if (error !== null) giveUp(socket)
      })
    },
    hangUp,
  }
}

function freeId(pending: ReadonlyMap<number, Pending>): number {
  let id = randomId()
  while (pending.has(id)) id = randomId()
  return id
}

async function connectedSocket({ openUdp, server }: RelayOptions): Promise<UdpSocket> {
  const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      function connect(): void {
        socket.connect(server.port, server.address, (error?: Error) => {
          if (error instanceof Error) reject(error)
          else resolve()
        })
      }
      if (openUdp === undefined) connect()
      else socket.bind({ fd: openUdp() }, connect)
    })
  } catch (error) {
    socket.close()
    throw error
  }
  socket.removeAllListeners('error')
  return socket
}
