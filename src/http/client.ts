/**
 * Sends requests over HTTP to a unix socket or a TCP port, with a deadline on each.
 *
 * The trap is the kept connection: the other side may close it in the moment we write to it. Such a
 * request is sent once more on a fresh one, which is sound because all our calls are idempotent.
 *
 * What the other side says is a result, whatever the status; failing to get that far is a
 * `ConnectionError`, whose `kind` tells "nobody is there" from "somebody is, but".
 */

import { Agent, request as startRequest } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { errorCode } from './error-code.ts'
import type { Address } from './listen.ts'

export type ConnectionProblem =
  /** No socket file, or nobody listens: surely not running. */
  | 'nobody'
  /** No permission to open the socket. */
  | 'denied'
  /** No such host, no route, or no answer to our attempt to connect. */
  | 'unreachable'
  /** Connected, but no answer within the deadline. */
  | 'silent'
  /** The connection broke, or what came was not HTTP. */
  | 'broken'

export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  readonly kind: ConnectionProblem

  constructor(kind: ConnectionProblem, message: string) {
    super(message)
    this.kind = kind
  }
}

export interface Question {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  /** Sent as JSON; absent for an empty body. */
  readonly body?: unknown
  /** Aborting throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export interface AnswerStream extends Omit<Answer, 'text'> {
  /** Ends when the other side ends it; throws ConnectionError when it breaks. */
  readonly chunks: AsyncIterable<Buffer>
}

export interface HttpClient {
  /** @throws ConnectionError */
  readonly ask: (question: Question) => Promise<Answer>
  /** The deadline is for the answer's head; the rest may take for ever. @throws ConnectionError */
  readonly stream: (question: Question) => Promise<AnswerStream>
  readonly [Symbol.dispose]: () => void
}

export interface ClientOptions {
  readonly address: Address
  readonly timeoutMs: number
  /** Longest answer that is read. */
  readonly maxBytes?: number
}

const defaultMaxBytes = 64 << 20
/** Kept for a burst of containers that start at once. */
const maxFreeSockets = 64

export function createHttpClient(options: ClientOptions): HttpClient {
  const agent = new Agent({ keepAlive: true, maxFreeSockets })
  return {
    async ask(question) {
      const work = beginWork(options, question)
      try {
        const response = await open({ options, question, agent, signal: work.signal })
        const text = await readText(response, options.maxBytes ?? defaultMaxBytes)
        return { status: response.statusCode ?? 0, headers: response.headers, text }
      } catch (error) {
        throw work.explain(error)
      } finally {
        work.end()
      }
    },
    async stream(question) {
      const work = beginWork(options, question)
      try {
        // An agent of its own: a stream that is given up must not be kept for others.
        const response = await open({ options, question, agent: false, signal: work.signal })
        work.stopClock()
        const { statusCode = 0, headers } = response
        return { status: statusCode, headers, chunks: readChunks(response, work) }
      } catch (error) {
        work.end()
        throw work.explain(error)
      }
    },
    [Symbol.dispose]() {
      agent.destroy()
    },
  }
}

interface Work {
  readonly signal: AbortSignal
  readonly stopClock: () => void
  readonly end: () => void
  /** Turns what went wrong into what the caller should see. */
  readonly explain: (error: unknown) => Error
}

/** The caller's signal and the deadline as one signal, without leaving listeners behind. */
function beginWork({ address, timeoutMs }: ClientOptions, question: Question): Work {
  const ms = question.timeoutMs ?? timeoutMs
  const controller = new AbortController()
  const timer = setTimeout(() => {
    controller.abort(
      new ConnectionError('silent', `${describe(address)} did not answer in ${ms} ms`),
    )
  }, ms)
  function forward(): void {
    controller.abort(question.signal?.reason)
  }
  if (question.signal?.aborted === true) forward()
  question.signal?.addEventListener('abort', forward)
  return {
    signal: controller.signal,
    stopClock() {
      clearTimeout(timer)
    },
    end() {
      clearTimeout(timer)
      question.signal?.removeEventListener('abort', forward)
    },
    explain(error) {
      const { reason } = controller.signal
      if (controller.signal.aborted) return reason instanceof Error ? reason : new Error('aborted')
      return error instanceof ConnectionError ? error : connectionError(error, address)
    },
  }
}

interface Opening {
  readonly options: ClientOptions
  readonly question: Question
  readonly agent: Agent | false
  readonly signal: AbortSignal
}

async function open(opening: Opening): Promise<IncomingMessage> {
  const first = send(opening)
  try {
    return await responseOf(first)
  } catch (error) {
    const raced = first.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(errorCode(error) ?? '')
    if (!raced || opening.signal.aborted) throw error
    return await responseOf(send({ ...opening, agent: false }))
  }
}

function send({ options, question, agent, signal }: Opening): ClientRequest {
  const { address } = options
  const bytes = question.body === undefined ? '' : JSON.stringify(question.body)
  const to =
    address.kind === 'unix'
      ? { socketPath: address.path, host: 'localhost' }
      : { host: address.host, port: address.port }
  const headers = {
    accept: 'application/json',
    'content-length': Buffer.byteLength(bytes),
    ...(bytes === '' ? {} : { 'content-type': 'application/json' }),
  }
  const { method, path } = question
  const request = startRequest({ ...to, method, path, headers, agent, signal })
  request.end(bytes)
  return request
}

function responseOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    // Stays: an error after the response is also told to those who read it.
    request.on('error', reject)
  })
}

async function readText(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk)
    length += bytes.length
    if (length > maxBytes) {
      throw new ConnectionError('broken', `the answer is longer than ${maxBytes} bytes`)
    }
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function* readChunks(response: IncomingMessage, work: Work): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response) yield Buffer.from(chunk)
  } catch (error) {
    throw work.explain(error)
  } finally {
    work.end()
  }
}

function connectionError(error: unknown, address: Address): ConnectionError {
  const code = errorCode(error) ?? ''
  const text = error instanceof Error ? error.message : String(error)
  const problem = new ConnectionError(problemOf(code), `${describe(address)}: ${code || text}`)
  problem.cause = error
  return problem
}

function problemOf(code: string): ConnectionProblem {
  if (['ECONNREFUSED', 'ENOENT', 'ENOTSOCK'].includes(code)) return 'nobody'
  if (['EACCES', 'EPERM'].includes(code)) return 'denied'
  const far = ['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_NONAME']
  return far.includes(code) ? 'unreachable' : 'broken'
}

function describe(address: Address): string {
  if (address.kind === 'unix') return address.path
  const { host, port } = address
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
