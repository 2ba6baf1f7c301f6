/**
 * Whether each peer's control port lets us connect, tried now and from here.
 *
 * The store says who is alive; only a try says whether this host reaches them. UDP cannot be tried
 * like that, so a firewall that lets TCP through and drops VXLAN does not show here.
 */

import { connect } from 'node:net'
import type { Status } from '../control/messages.ts'
import type { Connection } from './views.ts'

type Peer = Status['peers'][number]

const timeoutMs = 2000

export async function tryConnections(
  { peers }: Status,
  signal: AbortSignal,
): Promise<readonly Connection[]> {
  return Promise.all(peers.map((peer) => tryPeer(peer, signal)))
}

async function tryPeer(peer: Peer, signal: AbortSignal): Promise<Connection> {
  const { id, nickname, address, controlPort, dataPort } = peer
  const known = { id, nickname, address, controlPort, dataPort }
  if (peer.self) return { ...known, state: 'self' }
  const begin = performance.now()
  const problem = await problemOfConnecting(peer, signal)
  if (problem !== undefined) return { ...known, state: 'unreachable', problem }
  return { ...known, state: 'reachable', ms: Math.round(performance.now() - begin) }
}

function problemOfConnecting(
  { address, controlPort }: Peer,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: controlPort, timeout: timeoutMs, signal })
    socket.once('connect', () => end(undefined))
    socket.once('timeout', () => end(`no answer within ${timeoutMs} ms`))
    socket.once('error', (error) => end(error.message))

    function end(problem: string | undefined): void {
      socket.destroy()
      resolve(problem)
    }
  })
}
