/**
 * How are the host's own resolvers asked?
 *
 * One after the other, as resolv.conf(5) has them: the next one when a server keeps silent, has failed or refuses.
 * A server that kept silent comes last for a while, so that not every question waits for it.
 *
 * Each question has a socket, and so a port, of its own, connected to the server it goes to: to reply in its
 * place somebody would have to guess 32 bits. And no question goes to a listener of ours: it would come round for ever.
 */

import { createSocket } from 'node:dgram'
import net from 'node:net'
import { idOf, randomId, rcodeOf, repliesTo, withId } from './match.ts'
import { askOnConnection, awaitReply } from './upstream.ts'
import type { Patience, ServerAddress, Transport, Upstream } from './upstream.ts'
import { rcode } from './wire.ts'

export interface ForwarderOptions {
  /** In the order in which they are asked; looked at for each question. */
  readonly servers: () => readonly ServerAddress[]
  /** Where we listen ourselves: never asked. */
  readonly own: () => readonly ServerAddress[]
  /** For each server. */
  readonly timeoutMs?: number
  /** How many questions may wait at once; further ones are not asked. */
  readonly mostPending?: number
  /** How long a server that kept silent comes last. */
  readonly shunMs?: number
  /** A clock that never goes back. */
  readonly nowMs?: () => number
}

const defaults = {
  timeoutMs: 2000,
  mostPending: 256,
  shunMs: 10_000,
  nowMs: () => performance.now(),
}

interface Attempt extends Patience {
  readonly server: ServerAddress
}

export function createForwarder(options: ForwarderOptions): Upstream {
  const settings = { ...defaults, ...options }
  const shunnedUntil = new Map<string, number>()
  let pending = 0

  function inOrder(): readonly ServerAddress[] {
    const own = new Set(settings.own().map(text))
    const now = settings.nowMs()
    const servers = settings.servers().filter((server) => !own.has(text(server)))
    for (const [key, until] of shunnedUntil) if (until <= now) shunnedUntil.delete(key)
    const shunned = servers.filter((server) => shunnedUntil.has(text(server)))
    return [...servers.filter((server) => !shunned.includes(server)), ...shunned]
  }

  async function askEach(
    query: Buffer,
    transport: Transport,
    signal: AbortSignal | undefined,
  ): Promise<Buffer | undefined> {
    let unhelpful: Buffer | undefined
    for (const server of inOrder()) {
      const attempt = { server, timeoutMs: settings.timeoutMs, signal }
      const ask = transport === 'udp' ? askByUdp : askByTcp
      const reply = await ask(query, attempt)
      if (signal?.aborted === true) return undefined
      if (reply !== undefined && helps(reply)) return reply
      if (reply === undefined) shunnedUntil.set(text(server), settings.nowMs() + settings.shunMs)
      unhelpful ??= reply
    }
    return unhelpful
  }

  return {
    async ask(query, transport, signal) {
      if (pending >= settings.mostPending || signal?.aborted === true) return undefined
      pending += 1
      const reply = await askEach(query, transport, signal)
      pending -= 1
      return reply
    },
  }
}

function text({ address, port }: ServerAddress): string {
  return `${address} ${port}`
}

function helps(reply: Buffer): boolean {
  const code = rcodeOf(reply)
  return code !== rcode.servFail && code !== rcode.refused
}

function askByUdp(query: Buffer, { server, ...patience }: Attempt): Promise<Buffer | undefined> {
  const id = randomId()
  const socket = createSocket(net.isIPv6(server.address) ? 'udp6' : 'udp4')
  return awaitReply(patience, (finish) => {
    let open = true
    socket.on('error', () => finish(undefined))
    socket.on('message', (message) => {
      if (!repliesTo(query, message) || idOf(message) !== id) return
      finish(withId(message, idOf(query)))
    })
    socket.connect(server.port, server.address, (error?: Error) => {
      if (error instanceof Error) finish(undefined)
      else if (open) socket.send(withId(query, id))
    })
    return () => {
      open = false
      socket.close()
    }
  })
}

function askByTcp(query: Buffer, { server, ...patience }: Attempt): Promise<Buffer | undefined> {
  const connection = net.connect({ host: server.address, port: server.port })
  return askOnConnection(connection, query, patience)
}
