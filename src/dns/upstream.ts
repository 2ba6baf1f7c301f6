/**
 * Who is asked what is not ours? The interface; `relay.ts` asks one server for a container, `forwarder.ts`
 * asks those of the host. And how one question is asked on a connection, which both do alike.
 */

import type { Socket } from 'node:net'
import { createFrames, framed } from './frame.ts'
import { idOf, randomId, repliesTo, withId } from './match.ts'

export type Transport = 'udp' | 'tcp'

export interface ServerAddress {
  /** IPv6 may have a zone: `fe80::1%eth0`. */
  readonly address: string
  readonly port: number
}

export interface Upstream {
  /**
   * The reply, with the ID of `query`; undefined if nobody answered in time, or `signal` aborted.
   * Never rejects. `query` is a well-formed question, as `decodeQuery` says.
   */
  readonly ask: (
    query: Buffer,
    transport: Transport,
    signal?: AbortSignal,
  ) => Promise<Buffer | undefined>
}

export interface Patience {
  readonly timeoutMs: number
  /** Not aborted yet. */
  readonly signal: AbortSignal | undefined
}

/**
 * Waits for what `begin` finishes with, or, when time is up or the signal aborts, for undefined.
 * @param begin starts, and returns what must be done in any case in the end; finishes later, not at once.
 */
export function awaitReply(
  { timeoutMs, signal }: Patience,
  begin: (finish: (reply: Buffer | undefined) => void) => () => void,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(giveUp, timeoutMs)
    let over = false
    function finish(reply: Buffer | undefined): void {
      if (over) return
      over = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
      end()
      resolve(reply)
    }
    function giveUp(): void {
      finish(undefined)
    }
    const end = begin(finish)
    signal?.addEventListener('abort', giveUp)
  })
}

/** Asks on a connection of its own, which is closed after the reply. Never rejects. */
export function askOnConnection(
  connection: Socket,
  query: Buffer,
  patience: Patience,
): Promise<Buffer | undefined> {
  const id = randomId()
  const frames = createFrames()
  return awaitReply(patience, (finish) => {
    connection.on('error', () => finish(undefined))
    connection.on('close', () => finish(undefined))
    connection.on('data', (chunk: Buffer) => {
      for (const message of frames.push(chunk)) {
        if (!repliesTo(query, message) || idOf(message) !== id) continue
        finish(withId(message, idOf(query)))
      }
    })
    connection.write(framed(withId(query, id)))
    return () => connection.destroy()
  })
}
