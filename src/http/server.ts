/**
 * Serves JSON over HTTP on a unix socket or a TCP port.
 *
 *   connection ─▶ request ─▶ route ─▶ body ─▶ handler ─▶ reply
 *                               └────────┴────────┴─ error ─▶ renderError ─▶ reply
 *
 * Callers of a unix socket keep idle connections for as long as they like, and some send a request
 * again with an empty body when one breaks under it. We therefore never close an idle one there,
 * and at the end finish what was begun. On TCP, where anybody may call, idle connections end.
 *
 * Invariants
 *   - Every request gets exactly one reply, whatever it was, unless its sender goes away.
 *   - A handler that ignores its signal cannot delay its reply beyond its deadline.
 */

import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { deadlinePassed } from '../model/faults.ts'
import { parseBody, readBody } from './body.ts'
import { errorCode } from './error-code.ts'
import { listen } from './listen.ts'
import type { Address, Listening } from './listen.ts'
import { RequestError } from './request-error.ts'
import { matchRoute } from './routes.ts'
import type { Route, RouteMatch } from './routes.ts'

export interface Reply {
  readonly status: number
  readonly body: unknown
}

/** One request as it went, for whoever logs. */
export interface Exchange {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly ms: number
  /** What was thrown, if anything. */
  readonly error: unknown
}

export interface ServerOptions {
  readonly address: Address
  readonly routes: readonly Route[]
  /** Words an error in the protocol's own form. Gets RequestError, Fault, or any bug. */
  readonly renderError: (error: unknown, request: { method: string; path: string }) => Reply
  readonly report?: (exchange: Exchange) => void
  readonly contentType?: string
  readonly bodyBytes?: number
  readonly bodyMs?: number
  readonly handlerMs?: number
}

export interface HttpServer {
  readonly address: Address
  /**
   * Takes no new requests, gives those under way `graceMs`, then aborts them and closes.
   * Never throws; idempotent.
   */
  readonly drain: (options: { readonly graceMs: number }) => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

type Settings = Required<Omit<ServerOptions, 'report'>> & Pick<ServerOptions, 'report'>

const defaults = {
  contentType: 'application/json',
  bodyBytes: 1 << 20,
  bodyMs: 10_000,
  handlerMs: 15_000,
}

/** A stranger on TCP gets this long for its headers, and for saying nothing. */
const strangerMs = 15_000
const maxStrangers = 512
/** What aborted requests get for telling their callers so. */
const abortedMs = 100

/** @throws what `listen` throws. */
export async function serveHttp(options: ServerOptions): Promise<HttpServer> {
  const settings: Settings = { ...defaults, ...options }
  const underWay = new Map<AbortController, Promise<void>>()
  const server = createServer(timeouts(settings.address))
  if (settings.address.kind === 'tcp') server.maxConnections = maxStrangers
  server.on('request', (request, response) => {
    const controller = new AbortController()
    const answered = answer({ request, response, settings, controller, server }).finally(() => {
      underWay.delete(controller)
    })
    underWay.set(controller, answered)
  })
  server.on('clientError', (error, socket) => {
    refuseNonsense(error, { socket, settings })
  })
  const listening = await listen(server, settings.address)
  const drain = once((graceMs: number) => drainServer({ server, listening, underWay, graceMs }))
  return {
    address: listening.address,
    drain: ({ graceMs }) => drain(graceMs),
    [Symbol.asyncDispose]: () => drain(0),
  }
}

function timeouts({ kind }: Address): Parameters<typeof createServer>[0] & object {
  const shared = { requireHostHeader: false, requestTimeout: 0 }
  return kind === 'unix'
    ? { ...shared, keepAliveTimeout: 0, headersTimeout: 0 }
    : { ...shared, keepAliveTimeout: strangerMs, headersTimeout: strangerMs }
}

interface Work {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly settings: Settings
  readonly controller: AbortController
  /** Not listening any more while it is drained: nothing may follow on this connection. */
  readonly server: Server
}

async function answer(work: Work): Promise<void> {
  const { request, response, settings } = work
  const startedAt = performance.now()
  const method = request.method ?? ''
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const match = matchRoute(settings.routes, { method, path })
  let reply: Reply
  let error: unknown
  try {
    reply = { status: 200, body: await handle(match, work) }
  } catch (caught) {
    error = caught
    reply = settings.renderError(caught, { method, path })
  }
  if (match.kind === 'wrong-method') response.setHeader('allow', match.allowed.join(', '))
  send(response, { reply, settings, keep: request.complete && work.server.listening })
  const ms = performance.now() - startedAt
  settings.report?.({ method, path, status: reply.status, ms, error })
  await finished(response)
}

async function handle(match: RouteMatch, work: Work): Promise<unknown> {
  const { request, settings, controller } = work
  // Read even if nobody wants it, so that the connection can be used again.
  const bytes = await readBody(request, settings)
  switch (match.kind) {
    case 'unknown-path':
      throw new RequestError(404, 'unknown path')
    case 'wrong-method':
      throw new RequestError(405, `the method must be ${match.allowed.join(' or ')}`)
    case 'malformed':
      throw new RequestError(400, 'the path is not properly encoded')
    case 'found': {
      const { route, params } = match
      const body = parseBody(bytes)
      const what = `${route.method} ${route.path}`
      return await withDeadline(
        { what, ms: route.deadlineMs ?? settings.handlerMs, controller },
        (signal) => route.handle({ params, body, signal }),
      )
    }
  }
}

interface Deadline {
  readonly what: string
  readonly ms: number
  readonly controller: AbortController
}

/** Whatever comes first: the work's end, its deadline, or the controller's abort. */
async function withDeadline<T>(
  { what, ms, controller }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal } = controller
  const timer = setTimeout(() => {
    controller.abort(deadlinePassed(what, ms))
  }, ms)
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    })
  })
  try {
    return await Promise.race([work(signal), aborted])
  } finally {
    clearTimeout(timer)
    aborted.catch(() => {})
  }
}

function send(
  response: ServerResponse,
  { reply, settings, keep }: { reply: Reply; settings: Settings; keep: boolean },
): void {
  const bytes = Buffer.from(`${JSON.stringify(reply.body ?? {})}\n`)
  response.statusCode = reply.status
  response.setHeader('content-type', settings.contentType)
  response.setHeader('content-length', bytes.length)
  // A body that was not read to its end would be taken for the next request.
  if (!keep) response.setHeader('connection', 'close')
  response.end(bytes)
}

function finished(response: ServerResponse): Promise<void> {
  if (response.writableFinished || response.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    response.once('finish', resolve)
    response.once('close', resolve)
  })
}

function refuseNonsense(
  error: Error,
  { socket, settings }: { socket: Duplex; settings: Settings },
): void {
  if (!socket.writable || errorCode(error) === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const status = errorCode(error) === 'HPE_HEADER_OVERFLOW' ? 431 : 400
  const reason = new RequestError(status, `not HTTP as we know it: ${error.message}`)
  const body = `${JSON.stringify(settings.renderError(reason, { method: '', path: '' }).body)}\n`
  const head = [
    `HTTP/1.1 ${status} Refused`,
    `Content-Type: ${settings.contentType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

interface Draining {
  readonly server: Server
  readonly listening: Listening
  readonly underWay: ReadonlyMap<AbortController, Promise<void>>
  readonly graceMs: number
}

async function drainServer({ server, listening, underWay, graceMs }: Draining): Promise<void> {
  await listening.unpublish()
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve()
    })
  })
  await allDone(underWay, graceMs)
  for (const controller of underWay.keys())
    controller.abort(new Error('the server is shutting down'))
  await allDone(underWay, abortedMs)
  server.closeAllConnections()
  await closed
}

/** Waits until nothing is under way any more, at most `ms`. */
async function allDone(underWay: Draining['underWay'], ms: number): Promise<void> {
  const timer = new AbortController()
  const timeout = sleep(ms, 'timeout', timer).catch(() => 'timeout')
  while (underWay.size > 0) {
    const first = await Promise.race([Promise.allSettled(underWay.values()), timeout])
    if (first === 'timeout') break
  }
  timer.abort()
}

function once<T>(work: (arg: T) => Promise<void>): (arg: T) => Promise<void> {
  let result: Promise<void> | undefined
  return (arg) => (result ??= work(arg))
}
