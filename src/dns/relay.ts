/**
 * How is a container's question handed on to the one resolver it would have asked without us?
 *
 * All go through one UDP socket, connected to that resolver: the kernel lets in no datagram of anybody else, and
 * says when nobody listens there (dockerd is away), upon which all that wait are told so at once.
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
  /** A UDP socket for us to own: bound or not, but not connected. Made here if it is not given. */
  readonly fd?: number
  /** Opens a TCP connection to the resolver; it may still be connecting. Errors come as its events. */
  readonly connect: () => Socket
  /** Docker asks up to three servers, for 4 s each. */
  readonly pendingMs?: number
  /** How many may wait at once; further ones are not asked. */
  readonly mostPending?: number
}

export interface Relay extends Upstream {
  /** Whatever waits is answered with undefined. Idempotent. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

interface Pending {
  readonly query: Buffer
  readonly finish: (reply: Buffer | undefined) => void
}

const defaults = { pendingMs: 15_000, mostPending: 256 }

/** @throws the system's error when the socket cannot be had. */
export async function createRelay(options: RelayOptions): Promise<Relay> {
  const { pendingMs, mostPending, connect } = { ...defaults, ...options }
  const datagrams = createDatagrams(await connectedSocket(options))
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

function createDatagrams(socket: UdpSocket): Datagrams {
  const pending = new Map<number, Pending>()
  function failAll(): void {
    for (const { finish } of pending.values()) finish(undefined)
  }
  // ECONNREFUSED: nobody listens there, so nobody will answer any of them.
  socket.on('error', failAll)
  socket.on('message', (message) => {
    const found = message.length < 2 ? undefined : pending.get(idOf(message))
    if (found === undefined || !repliesTo(found.query, message)) return
    found.finish(withId(message, idOf(found.query)))
  })
  return {
    ask(query, patience) {
      const id = freeId(pending)
      return awaitReply(patience, (finish) => {
        pending.set(id, { query, finish })
        socket.send(withId(query, id), (error) => {
          if (error !== null) finish(undefined)
        })
        return () => pending.delete(id)
      })
    },
    pending: () => pending.size,
    close() {
      failAll()
      return new Promise((resolve) => socket.close(resolve))
    },
  }
}

function freeId(pending: ReadonlyMap<number, Pending>): number {
  let id = randomId()
  while (pending.has(id)) id = randomId()
  return id
}

async function connectedSocket({ fd, server }: RelayOptions): Promise<UdpSocket> {
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
      if (fd === undefined) connect()
      else socket.bind({ fd }, connect)
    })
  } catch (error) {
    socket.close()
    throw error
  }
  socket.removeAllListeners('error')
  return socket
}
