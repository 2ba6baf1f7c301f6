/**
 * Where are questions heard? On a UDP socket and a TCP socket, ours or made by somebody else in another
 * network namespace; what is answered is `respond.ts`'s business.
 *
 * Invariant: whatever a datagram holds, and wherever it says it comes from, nothing is thrown.
 */

import { createSocket } from 'node:dgram'
import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram'
import { setMaxListeners } from 'node:events'
import type { Server } from 'node:net'
import { isIPv6 } from 'node:net'
import { createResponder } from './respond.ts'
import type { Counters, Responder, ResponderOptions } from './respond.ts'
import { createTcp } from './tcp.ts'
import type { TcpLimits } from './tcp.ts'
import type { ServerAddress } from './upstream.ts'

/** An IPv4 socket that is bound (a TCP one need not listen yet), ours from now on; or where to make one. */
export type Place = { readonly fd: number } | ServerAddress

export interface DnsServerOptions extends ResponderOptions, Partial<TcpLimits> {
  readonly udp: Place
  readonly tcp: Place
}

export interface DnsServer {
  /** Where it was bound, with the port that was really taken. */
  readonly udp: ServerAddress
  readonly tcp: ServerAddress
  readonly counters: () => Counters
  /** Closes both sockets and all connections at once; idempotent. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

const tcpLimits: TcpLimits = { idleMs: 10_000, mostConnections: 256, mostConnectionsPerAddress: 64 }

/** @throws the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL); nothing is left open then. */
export async function serveDns(options: DnsServerOptions): Promise<DnsServer> {
  const responder = createResponder(options)
  const closing = new AbortController()
  // One for each question that waits.
  setMaxListeners(0, closing.signal)
  const socket = createSocket(
    'address' in options.udp && isIPv6(options.udp.address) ? 'udp6' : 'udp4',
  )
  const tcp = createTcp(responder, { ...tcpLimits, ...options })
  let closed: Promise<void> | undefined

  async function close(): Promise<void> {
    closing.abort()
    const udpClosed = new Promise<void>((resolve) => socket.close(resolve))
    await Promise.all([udpClosed, tcp.close()])
  }

  try {
    await bindUdp(socket, options.udp)
    await listenTcp(tcp.server, options.tcp)
  } catch (error) {
    await close()
    throw error
  }
  serveUdp(socket, responder, closing.signal)
  return {
    udp: addressOf(socket.address()),
    tcp: addressOf(tcp.server.address()),
    counters: responder.counters,
    [Symbol.asyncDispose]: () => (closed ??= close()),
  }
}

function serveUdp(socket: UdpSocket, responder: Responder, signal: AbortSignal): void {
  function send(reply: Buffer | undefined, to: RemoteInfo): void {
    // Nothing can be sent to port 0, which only a forged datagram has.
    if (reply === undefined || signal.aborted || to.port === 0) return
    // What cannot be sent is lost like any other datagram: its asker asks again.
    socket.send(reply, to.port, to.address, () => {})
  }
  socket.on('error', () => {})
  socket.on('message', (message, from) => {
    const reply = responder.respond(message, { from, transport: 'udp', signal })
    if (!(reply instanceof Promise)) send(reply, from)
    else void reply.then((late) => send(late, from))
  })
}

function bindUdp(socket: UdpSocket, place: Place): Promise<void> {
  return settled(socket, (done) =>
    'fd' in place
      ? socket.bind({ fd: place.fd }, done)
      : socket.bind({ ...place, exclusive: true }, done),
  )
}

function listenTcp(server: Server, place: Place): Promise<void> {
  return settled(server, (done) =>
    'fd' in place
      ? server.listen({ fd: place.fd }, done)
      : server.listen({ host: place.address, port: place.port, exclusive: true }, done),
  )
}

interface Emitter {
  once: (event: 'error', listener: (error: Error) => void) => unknown
  off: (event: 'error', listener: (error: Error) => void) => unknown
}

/** Until `start` calls back, or the socket says what is wrong. */
function settled(socket: Emitter, start: (done: () => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    start(() => {
      socket.off('error', reject)
      resolve()
    })
  })
}

function addressOf(bound: ReturnType<Server['address']>): ServerAddress {
  return typeof bound === 'object' && bound !== null
    ? { address: bound.address, port: bound.port }
    : { address: '', port: 0 }
}
