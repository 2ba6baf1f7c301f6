/**
 * What routers say to each other on the TCP control port: which cluster is this, where is its store?
 *
 * Anybody can connect to the port, and anybody may be at the address that somebody typed. So every
 * question and every reply is checked. What hosts of one cluster ask each other besides is in
 * `peer-ipam.ts`.
 */

import { ConnectionError, createHttpClient } from '../http/client.ts'
import type { Answer } from '../http/client.ts'
import { errorCode } from '../http/error-code.ts'
import type { Address } from '../http/listen.ts'
import { serveHttp } from '../http/server.ts'
import type { Exchange, HttpServer } from '../http/server.ts'
import { describeProblems } from './check.ts'
import { parseFault, parseJson, renderFault } from './errors.ts'
import { clusterReply } from './messages.ts'
import type { ClusterReply } from './messages.ts'
import { ipamRoutes } from './peer-ipam.ts'
import type { IpamAnswers } from './peer-ipam.ts'

export interface PeerServerOptions {
  readonly host: string
  readonly port: number
  /** May throw a fault while the router does not know yet; the peer is told which. */
  readonly describe: () => ClusterReply
  /** Answers of this host for others that run out of addresses. */
  readonly ipam?: IpamAnswers
  readonly report?: (exchange: Exchange) => void
}

export interface AskOptions {
  readonly signal: AbortSignal
  /** 3000 if absent. */
  readonly timeoutMs?: number
}

/** What came of asking a peer. Each `reason` completes the sentence "host:port …". */
export type PeerAnswer =
  | { readonly kind: 'answered'; readonly cluster: ClusterReply }
  /** The host is there and does not take part: nobody listens, or a router that is not ready. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** No such host, no route to it, or no answer in time. */
  | { readonly kind: 'unreachable'; readonly reason: string }
  /** Somebody answers, but it is not a router of this version. */
  | { readonly kind: 'not-weave'; readonly reason: string }

const peerDeadlineMs = 3000
/** Questions about addresses may name thousands of them; an answer has a few hundred bytes. */
const maxQuestionBytes = 1 << 22
const maxAnswerBytes = 1 << 16

/** @throws Fault PORT_IN_USE */
export function servePeers({
  host,
  port,
  describe,
  ipam,
  report,
}: PeerServerOptions): Promise<HttpServer> {
  return serveHttp({
    address: { kind: 'tcp', host, port },
    routes: [
      { method: 'GET', path: '/v1/cluster', handle: async () => describe() },
      ...(ipam === undefined ? [] : ipamRoutes(ipam)),
    ],
    renderError: renderFault,
    bodyBytes: maxQuestionBytes,
    bodyMs: peerDeadlineMs,
    handlerMs: peerDeadlineMs,
    ...(report === undefined ? {} : { report }),
  })
}

/**
 * Asks one router about its cluster.
 * @param peer host may be a name, an IPv4 or an IPv6 address (no brackets)
 * @throws only the signal's reason.
 */
export async function askPeer(
  peer: { readonly host: string; readonly port: number },
  { signal, timeoutMs = peerDeadlineMs }: AskOptions,
): Promise<PeerAnswer> {
  const address: Address = { kind: 'tcp', ...peer }
  using client = createHttpClient({
    address,
    timeoutMs,
    maxBytes: maxAnswerBytes,
  })
  try {
    return judge(await client.ask({ method: 'GET', path: '/v1/cluster', signal }))
  } catch (error) {
    if (error instanceof ConnectionError) return judgeFailure(error, timeoutMs)
    throw error
  }
}

function judge({ status, text }: Answer): PeerAnswer {
  if (status !== 200) {
    const fault = parseFault(status, text)
    if (fault?.code === 'UNKNOWN_VERSION' || fault?.code === 'UNKNOWN_CALL') {
      return { kind: 'not-weave', reason: `runs another version of weave: ${fault.message}` }
    }
    return fault === undefined
      ? { kind: 'not-weave', reason: `answers, but is no weave router (HTTP status ${status})` }
      : { kind: 'refused', reason: `is not ready: ${fault.message}` }
  }
  const value = parseJson(text)
  const reply = clusterReply.safeParse(value)
  if (reply.success) return { kind: 'answered', cluster: reply.data }
  const problem = value === undefined ? 'not JSON' : describeProblems(reply.error.issues, value)
  return { kind: 'not-weave', reason: `answers, but not as a router of this version: ${problem}` }
}

function judgeFailure({ kind, cause }: ConnectionError, timeoutMs: number): PeerAnswer {
  const code = errorCode(cause) ?? ''
  switch (kind) {
    case 'nobody':
      return { kind: 'refused', reason: 'refuses connections (is a router running there?)' }
    case 'silent':
      return { kind: 'unreachable', reason: `did not answer within ${timeoutMs / 1000} s` }
    case 'unreachable':
    case 'denied':
      return { kind: 'unreachable', reason: `cannot be reached (${meanings[code] ?? code})` }
    case 'broken':
      return code === 'ECONNRESET' || code === 'EPIPE'
        ? { kind: 'refused', reason: 'closed the connection' }
        : { kind: 'not-weave', reason: 'answers, but does not speak HTTP' }
  }
}

const meanings: Readonly<Record<string, string>> = {
  EHOSTUNREACH: 'no route to it',
  ENETUNREACH: 'no route to its network',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'its name cannot be resolved now',
  ETIMEDOUT: 'connecting timed out',
}
