/**
 * A router as seen through its local socket: the calls of `RouterApi`, spoken over HTTP.
 *
 * Replies are checked by the same schemas as requests, so that a router of another version is a
 * clear fault here and not an `undefined` three functions later.
 */

import type { z } from 'zod'
import { ConnectionError, createHttpClient } from '../http/client.ts'
import type { HttpClient, Question } from '../http/client.ts'
import { errorCode } from '../http/error-code.ts'
import { badReply, deadlinePassed, notRoot, routerNotRunning } from '../model/faults.ts'
import type { RouterApi } from './api.ts'
import { describeProblems } from './check.ts'
import { parseFault, parseJson } from './errors.ts'
import {
  addressReply,
  empty,
  endpointReply,
  holdings,
  joinReply,
  lookupReply,
  networkReply,
  poolReply,
  removedNames,
  removedPeer,
  resetReply,
  status,
} from './messages.ts'

export interface RouterClient extends RouterApi {
  readonly [Symbol.dispose]: () => void
}

export interface RouterClientOptions {
  /** Path of the router's unix socket. */
  readonly socket: string
  /** For each call but reset; a call's own signal may end it sooner. */
  readonly timeoutMs?: number
}

/** More than the server's own deadline, whose fault says more than ours. */
const defaultTimeoutMs = 14_000
const resetTimeoutMs = 125_000

/**
 * Opens nothing yet. Calls throw ROUTER_NOT_RUNNING when nobody answers on the socket, NOT_ROOT
 * when it may not be opened, BAD_REPLY when what answers is no router of this version, and any
 * fault of the router itself.
 */
export function createRouterClient(options: RouterClientOptions): RouterClient {
  const { socket, timeoutMs = defaultTimeoutMs } = options
  const http = createHttpClient({ address: { kind: 'unix', path: socket }, timeoutMs })
  function ask<T>(question: Question, schema: z.ZodType<T>): Promise<T> {
    return askRouter({ http, socket, timeoutMs }, question, schema)
  }
  return {
    status: ({ signal }) => ask({ method: 'GET', path: '/v1/status', signal }, status),
    putNetwork: (id, body, { signal }) =>
      ask({ method: 'PUT', path: networkPath(id), body, signal }, networkReply),
    async deleteNetwork(id, { signal }) {
      await ask({ method: 'DELETE', path: networkPath(id), signal }, empty)
    },
    putEndpoint: (id, body, { signal }) =>
      ask({ method: 'PUT', path: endpointPath(id), body, signal }, endpointReply),
    joinEndpoint: (id, body, { signal }) =>
      ask({ method: 'POST', path: `${endpointPath(id)}/join`, body, signal }, joinReply),
    async leaveEndpoint(id, { signal }) {
      await ask({ method: 'POST', path: `${endpointPath(id)}/leave`, signal }, empty)
    },
    async deleteEndpoint(id, { signal }) {
      await ask({ method: 'DELETE', path: endpointPath(id), signal }, empty)
    },
    ...poolCalls(ask),
    ...nameCalls(ask),
    removePeer: (host, { signal }) =>
      ask({ method: 'DELETE', path: `/v1/peers/${encodeURIComponent(host)}`, signal }, removedPeer),
    async putDriver(name, body, { signal }) {
      const path = `/v1/drivers/${encodeURIComponent(name)}`
      await ask({ method: 'PUT', path, body, signal }, empty)
    },
    async stop({ signal }) {
      await ask({ method: 'POST', path: '/v1/stop', signal }, empty)
    },
    reset: ({ signal }) =>
      ask({ method: 'POST', path: '/v1/reset', signal, timeoutMs: resetTimeoutMs }, resetReply),
    [Symbol.dispose]() {
      http[Symbol.dispose]()
    },
  }
}

type Ask = <T>(question: Question, schema: z.ZodType<T>) => Promise<T>

function poolCalls(
  ask: Ask,
): Pick<RouterApi, 'holdings' | 'holdPool' | 'releasePool' | 'grantAddress' | 'releaseAddress'> {
  return {
    holdings: ({ signal }) => ask({ method: 'GET', path: '/v1/pools', signal }, holdings),
    holdPool: (body, { signal }) =>
      ask({ method: 'POST', path: '/v1/pools', body, signal }, poolReply),
    async releasePool(id, { signal }) {
      await ask({ method: 'POST', path: `/v1/pools/${id}/release`, signal }, empty)
    },
    grantAddress: (pool, body, { signal }) =>
      ask({ method: 'POST', path: `/v1/pools/${pool}/addresses`, body, signal }, addressReply),
    async releaseAddress(pool, address, { signal }) {
      const path = `/v1/pools/${pool}/addresses/${encodeURIComponent(address)}`
      await ask({ method: 'DELETE', path, signal }, empty)
    },
  }
}

function nameCalls(ask: Ask): Pick<RouterApi, 'addName' | 'removeNames' | 'lookup'> {
  return {
    async addName(body, { signal }) {
      await ask({ method: 'POST', path: '/v1/names', body, signal }, empty)
    },
    removeNames: (body, { signal }) =>
      ask({ method: 'POST', path: '/v1/names/remove', body, signal }, removedNames),
    lookup: (body, { signal }) =>
      ask({ method: 'POST', path: '/v1/names/lookup', body, signal }, lookupReply),
  }
}

interface Line {
  readonly http: HttpClient
  readonly socket: string
  readonly timeoutMs: number
}

async function askRouter<T>(line: Line, question: Question, schema: z.ZodType<T>): Promise<T> {
  const answer = await line.http.ask(question).catch((error: unknown) => {
    throw explain(error, { line, question })
  })
  if (answer.status !== 200) {
    const fault = parseFault(answer.status, answer.text)
    throw fault ?? badReply(line.socket, `HTTP status ${answer.status}`)
  }
  const value = parseJson(answer.text)
  const reply = schema.safeParse(value)
  if (reply.success) return reply.data
  throw badReply(line.socket, describeProblems(reply.error.issues, value))
}

/** Whatever is not a failure of the connection (the caller's own abort) stays what it is. */
function explain(error: unknown, { line, question }: { line: Line; question: Question }): unknown {
  if (!(error instanceof ConnectionError)) return error
  const { method, path } = question
  switch (error.kind) {
    case 'nobody':
    case 'unreachable':
      return routerNotRunning(line.socket).causedBy(error)
    case 'denied':
      return notRoot('weave').causedBy(error)
    case 'silent':
      return deadlinePassed(`${method} ${path}`, question.timeoutMs ?? line.timeoutMs)
    case 'broken':
      return ['ECONNRESET', 'EPIPE'].includes(errorCode(error.cause) ?? '')
        ? routerNotRunning(line.socket).causedBy(error)
        : badReply(line.socket, error.message).causedBy(error)
  }
}

function networkPath(id: string): string {
  return `/v1/networks/${encodeURIComponent(id)}`
}

function endpointPath(id: string): string {
  return `/v1/endpoints/${encodeURIComponent(id)}`
}
