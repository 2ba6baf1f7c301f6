/**
 * A TCP proxy on loopback that breaks in each of the ways a network does.
 *
 *   drop      connections end now; new ones are accepted
 *   cut       connections end now; new ones are refused until `mend`
 *   freeze    connections stand, nothing moves, until `mend`: a peer that was suspended
 *   swallow   what the client says vanishes, nothing comes back: a peer that lost power
 */

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'

export interface Proxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`; it stays the same. */
  readonly address: string
  /** How many connections there have been. */
  readonly connections: () => number
  readonly drop: () => void
  readonly cut: () => void
  readonly freeze: () => void
  readonly swallow: () => void
  readonly mend: () => void
  /** Drops them once so many more bytes have gone to the client; then again after the next number. */
  readonly dropAfter: (...bytes: readonly number[]) => void
  /** Where new connections go. */
  readonly aim: (target: string) => void
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

interface State {
  mode: 'pass' | 'cut' | 'freeze' | 'swallow'
  target: string
  /** Bytes until the next drop, and from there to those after it. */
  allowance: number
  allowances: readonly number[]
  connections: number
}

export async function createProxy(target: string): Promise<Proxy> {
  const state: State = { mode: 'pass', target, allowance: Infinity, allowances: [], connections: 0 }
  const pairs = new Set<Pair>()
  const listener = createServer((client) => accept(client, { state, pairs }))
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')

  function drop(): void {
    for (const { client, server } of pairs) {
      client.resetAndDestroy()
      server.destroy()
    }
    pairs.clear()
  }

  function become(mode: State['mode']): void {
    state.mode = mode
    for (const pair of pairs) steer(pair, mode)
  }

  return {
    address: `127.0.0.1:${portOf(listener)}`,
    connections: () => state.connections,
    drop,
    cut() {
      become('cut')
      drop()
    },
    freeze: () => become('freeze'),
    swallow: () => become('swallow'),
    mend: () => become('pass'),
    dropAfter(...bytes) {
      state.allowances = bytes
      nextAllowance(state)
    },
    aim(other) {
      state.target = other
    },
    async [Symbol.asyncDispose]() {
      drop()
      listener.close()
      await once(listener, 'close')
    },
  }
}

interface Proxying {
  readonly state: State
  readonly pairs: Set<Pair>
}

function accept(client: Socket, { state, pairs }: Proxying): void {
  state.connections += 1
  if (state.mode === 'cut') return void client.resetAndDestroy()
  const colon = state.target.lastIndexOf(':')
  const server = connect(Number(state.target.slice(colon + 1)), state.target.slice(0, colon))
  const pair = { client, server }
  pairs.add(pair)
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.on('error', () => {})
    from.on('close', () => {
      pairs.delete(pair)
      to.destroy()
    })
    from.on('data', (data) => forward(data, from, to))
  }
  steer(pair, state.mode)

  function forward(data: Buffer, from: Socket, to: Socket): void {
    if (state.mode === 'swallow') return
    const passed = from === server ? data.subarray(0, state.allowance) : data
    if (!to.write(passed)) {
      from.pause()
      to.once('drain', () => {
        if (state.mode !== 'freeze') from.resume()
      })
    }
    if (from !== server) return
    state.allowance -= passed.length
    if (state.allowance > 0) return
    nextAllowance(state)
    from.destroy()
  }
}

function nextAllowance(state: State): void {
  const [next = Infinity, ...later] = state.allowances
  state.allowance = next
  state.allowances = later
}

function steer({ client, server }: Pair, mode: State['mode']): void {
  for (const socket of [client, server]) {
    if (mode === 'freeze') socket.pause()
    else socket.resume()
  }
}

function portOf(listener: Server): number {
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP')
  return address.port
}
