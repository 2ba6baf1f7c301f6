/**
 * Which endpoint to talk to: one gRPC channel for each, one of them preferred until it fails.
 *
 * A channel over several addresses (gRPC's own load balancing) takes addresses only, not names, and
 * does not say whether a failed request was ever sent. So an endpoint is first brought to READY and
 * then given the request exactly once; a write is never silently sent twice.
 *
 * The trap: a frozen etcd keeps its TCP connection, so "connected" proves nothing. HTTP/2 pings
 * find that out, and a call that got no answer makes the next one start elsewhere (`avoid`).
 */

import { promisify } from 'node:util'
import { Client, connectivityState, credentials } from '@grpc/grpc-js'
import type { ChannelOptions } from '@grpc/grpc-js'
import { storeUnreachable } from '../../model/faults.ts'
import { reasonOf } from './errors.ts'
import { MaintenanceService, StatusRequest } from './generated/rpc.ts'
import { callOnce } from './unary.ts'

export interface Connection {
  readonly endpoint: string
  readonly client: Client
}

export interface Connections {
  /** An endpoint whose connection stands. @throws STORE_UNREACHABLE with every endpoint's reason. */
  readonly acquire: (deadlineMs: number) => Promise<Connection>
  /** Prefer another endpoint from now on. */
  readonly avoid: (connection: Connection) => void
  readonly close: () => void
}

const channelOptions: ChannelOptions = {
  'grpc.max_receive_message_length': -1,
  // etcd answers pings that come more often than every 5 s by hanging up (--grpc-keepalive-min-time).
  'grpc.keepalive_time_ms': 5500,
  'grpc.keepalive_timeout_ms': 3000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  // The store is a neighbour, never behind the proxy that a user set up for the web.
  'grpc.enable_http_proxy': 0,
}

const probeMs = 500

export function createConnections(endpoints: readonly string[]): Connections {
  const connections = endpoints.map((endpoint): Connection => ({
    endpoint,
    client: new Client(`dns:${endpoint}`, credentials.createInsecure(), channelOptions),
  }))
  let preferred = 0

  return {
    async acquire(deadlineMs) {
      const reasons: string[] = []
      for (let turn = 0; turn < connections.length; turn += 1) {
        const index = (preferred + turn) % connections.length
        const connection = connections[index]
        if (connection === undefined) break
        const share = (deadlineMs - Date.now()) / (connections.length - turn)
        const problem = await findProblem(connection, Date.now() + Math.max(share, 1))
        if (problem === undefined) {
          if (turn > 0) preferred = index
          return connection
        }
        reasons.push(connections.length > 1 ? `${connection.endpoint}: ${problem}` : problem)
      }
      throw storeUnreachable(endpoints, reasons.join('; '))
    },
    avoid(connection) {
      if (connections[preferred] === connection) preferred = (preferred + 1) % connections.length
    },
    close() {
      for (const { client } of connections) client.close()
    },
  }
}

/** Undefined once the connection stands. */
async function findProblem(
  { client }: Connection,
  deadlineMs: number,
): Promise<string | undefined> {
  const channel = client.getChannel()
  const nextState = promisify(channel.watchConnectivityState.bind(channel))
  for (;;) {
    const state = channel.getConnectivityState(true)
    if (state === connectivityState.READY) return undefined
    if (state === connectivityState.SHUTDOWN) return 'the client was closed'
    if (state === connectivityState.TRANSIENT_FAILURE) return probe(client, deadlineMs)
    try {
      await nextState(state, deadlineMs)
    } catch {
      return 'connecting took too long'
    }
  }
}

/** The channel knows why it cannot connect, but tells it only to a call. */
async function probe(client: Client, deadlineMs: number): Promise<string | undefined> {
  try {
    await callOnce(client, MaintenanceService.status, {
      request: StatusRequest.fromPartial({}),
      deadlineMs: Math.min(deadlineMs, Date.now() + probeMs),
    })
    return undefined
  } catch (error) {
    return reasonOf(error)
  }
}
