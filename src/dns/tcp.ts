/**
 * How are questions served on TCP connections (RFC 7766)?
 *
 * Several may come on one connection, and each is answered when its answer is there, in any order.
 *
 * The trap is whoever comes and stays: connections are limited, in all and for each address; one on which no
 * question was finished and no reply is due for `idleMs` ends, however many single bytes dribble in; and nobody is
 * read from while many of its questions wait, or while it does not take its replies.
 */

import { setMaxListeners } from 'node:events'
import net from 'node:net'
import { createFrames, framed } from './frame.ts'
import type { Responder } from './respond.ts'

export interface TcpLimits {
  readonly idleMs: number
  readonly mostConnections: number
  readonly mostConnectionsPerAddress: number
}

/** Questions of one connection that may wait for an answer. */
const mostWaiting = 16

export interface Tcp {
  readonly server: net.Server
  /** Ends what is open, without waiting for replies. */
  readonly close: () => Promise<void>
}

export function createTcp(responder: Responder, limits: TcpLimits): Tcp {
  const perAddress = new Map<string, number>()
  const open = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const address = socket.remoteAddress ?? ''
    const already = perAddress.get(address) ?? 0
    socket.on('error', () => {})
    if (already >= limits.mostConnectionsPerAddress || address === '') {
      socket.destroy()
      return
    }
    perAddress.set(address, already + 1)
    open.add(socket)
    socket.on('close', () => {
      open.delete(socket)
      const left = (perAddress.get(address) ?? 1) - 1
      if (left === 0) perAddress.delete(address)
      else perAddress.set(address, left)
    })
    serveConnection(socket, { responder, idleMs: limits.idleMs, address })
  })
  // Out of file descriptors, say: this connection is lost, not the router.
  server.on('error', () => {})
  server.maxConnections = limits.mostConnections
  return {
    server,
    async close() {
      for (const socket of open) socket.destroy()
      if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

interface Serving {
  readonly responder: Responder
  readonly idleMs: number
  readonly address: string
}

function serveConnection(socket: net.Socket, { responder, idleMs, address }: Serving): void {
  const frames = createFrames()
  const gone = new AbortController()
  // One for each question that waits.
  setMaxListeners(0, gone.signal)
  const how = { from: { address }, transport: 'tcp' as const, signal: gone.signal }
  const backlog: Buffer[] = []
  let waiting = 0
  let ended = false
  const idle = setTimeout(() => {
    if (waiting === 0) socket.destroy()
    else idle.refresh()
  }, idleMs)

  async function answer(message: Buffer): Promise<void> {
    waiting += 1
    const reply = await responder.respond(message, how)
    waiting -= 1
    if (socket.destroyed) return
    // Garbage: where the next message begins is anybody's guess.
    if (reply === undefined) socket.destroy()
    else socket.write(framed(reply))
    idle.refresh()
    work()
  }

  /** Takes up what has come, as far as the limits allow; the rest when something is done. */
  function work(): void {
    while (waiting < mostWaiting && !socket.writableNeedDrain) {
      const message = backlog.shift()
      if (message === undefined) break
      void answer(message)
    }
    if (ended && waiting + backlog.length === 0) socket.end()
    if (waiting >= mostWaiting || socket.writableNeedDrain) socket.pause()
    else socket.resume()
  }

  socket.on('data', (chunk: Buffer) => {
    backlog.push(...frames.push(chunk))
    work()
  })
  socket.on('drain', work)
  socket.on('end', () => {
    ended = true
    work()
  })
  socket.on('close', () => {
    clearTimeout(idle)
    gone.abort()
  })
}
