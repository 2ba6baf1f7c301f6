/**
 * What becomes of one message that came in, by UDP or TCP?
 *
 *   bytes ─▶ decode ─▶ decide ─▶ ours: reply at once
 *              │          └────▶ pass: ask upstream ─▶ its reply, or SERVFAIL
 *              └─▶ dropped, or a head that refuses
 *
 * ANY is answered with both kinds of address (RFC 8482, 4.1: it need not be all there is; here it is), not with
 * HINFO: no name has more than a few, the limits below hold for this reply, too, and old mail servers use them.
 *
 * Invariants
 *   - A datagram of ours is no longer than `mostUdpBytes`, nor than the asker said it can take.
 *   - Each message is counted once under `asked`, and once under one of the others when it is done with.
 */

import { decodeQuery } from './message.ts'
import type { Query, Question } from './message.ts'
import { encodeRefusal, encodeReply, readZone, truncateReply } from './reply.ts'
import type { Answer, OwnAnswer } from './reply.ts'
import type { Transport, Upstream } from './upstream.ts'
import { classIn, plainUdpBytes, recordType, tcpMessageBytes } from './wire.ts'

export interface Asker {
  /** As the system writes it. */
  readonly address: string
  /** What `identify` has found. */
  readonly identity?: string | undefined
}

export interface ResponderOptions {
  /** Called for class IN only, and never with type ANY. What it throws ends the process: a bug. */
  readonly decide: (question: Question, from: Asker) => Answer
  /** Finds out who an asker is, for `decide`; undefined where there is nothing to find out. */
  readonly identify?: ((from: Asker) => Promise<string | undefined>) | undefined
  /** Undefined: what is not ours is refused. */
  readonly upstream: Upstream | undefined
  /** The longest datagram sent for our own answers; 512 or more. Small where senders can be forged. */
  readonly mostUdpBytes: number
  /** The same for replies of others: longer ones are cut, with TC. As `mostUdpBytes` if not given. */
  readonly mostPassedUdpBytes?: number
  /** How many questions may wait for the upstream at once; further ones are dropped. */
  readonly mostPassing?: number
  /** The domain that absence is told of: `weave.local`, at most 240 bytes long. */
  readonly zone: string
  /** How long absence may be cached. */
  readonly ttlSeconds: number
}

export interface Counters {
  readonly asked: number
  /** Answered from what we know, also that there is nothing. */
  readonly ours: number
  /** Answered with what the upstream said. */
  readonly passed: number
  /** Not ours to answer, or no question that we understand. */
  readonly refused: number
  /** Handed on, and nobody answered in time. */
  readonly failed: number
  /** Left without a reply: replies, scraps, and what came while too many waited. */
  readonly dropped: number
}

export interface Responder {
  /** The reply; undefined if there is none to be sent. Never rejects. */
  readonly respond: (
    message: Buffer,
    how: { readonly from: Asker; readonly transport: Transport; readonly signal: AbortSignal },
  ) => Buffer | undefined | Promise<Buffer | undefined>
  readonly counters: () => Counters
}

interface Asking {
  readonly message: Buffer
  readonly query: Query
  readonly transport: Transport
  readonly signal: AbortSignal
}

type Outcome = Exclude<keyof Counters, 'asked'>

const outcomes: Readonly<Record<OwnAnswer['kind'], Outcome>> = {
  records: 'ours',
  nodata: 'ours',
  nxdomain: 'ours',
  refused: 'refused',
  'bad-version': 'refused',
  failed: 'failed',
}

/** @throws RangeError when `zone` is no domain name. */
export function createResponder(options: ResponderOptions): Responder {
  const { identify } = options
  const count: Record<keyof Counters, number> = { ...none }
  const answer = createAnswerer(options, count)
  return {
    respond(message, { from, transport, signal }) {
      count.asked += 1
      const decoded = decodeQuery(message)
      if (decoded.kind === 'drop') {
        count.dropped += 1
        return undefined
      }
      if (decoded.kind === 'refuse') {
        count.refused += 1
        return encodeRefusal(message, decoded.rcode)
      }
      const asking = { message, query: decoded.query, transport, signal }
      if (identify === undefined) return answer(asking, from)
      return identify(from).then((identity) => answer(asking, { ...from, identity }))
    },
    counters: () => ({ ...count }),
  }
}

const none: Counters = { asked: 0, ours: 0, passed: 0, refused: 0, failed: 0, dropped: 0 }

type Answerer = (asking: Asking, asker: Asker) => Buffer | Promise<Buffer | undefined>

function createAnswerer(
  options: ResponderOptions,
  count: Record<keyof Counters, number>,
): Answerer {
  const { decide, upstream, mostUdpBytes, mostPassing = 256 } = options
  const { mostPassedUdpBytes = mostUdpBytes, ttlSeconds } = options
  const zone = readZone(options.zone)
  const fixed = { ednsBytes: mostUdpBytes, zone, ttlSeconds, recursion: upstream !== undefined }
  let passing = 0

  function reply({ query, transport }: Asking, answer: OwnAnswer): Buffer {
    count[outcomes[answer.kind]] += 1
    const asked = query.edns?.udpBytes ?? plainUdpBytes
    const mostBytes = transport === 'tcp' ? tcpMessageBytes : Math.min(mostUdpBytes, asked)
    return encodeReply(query, answer, { ...fixed, mostBytes })
  }

  async function pass(asking: Asking): Promise<Buffer | undefined> {
    const { message, query, transport, signal } = asking
    if (upstream === undefined) return reply(asking, { kind: 'refused' })
    if (passing >= mostPassing) {
      count.dropped += 1
      return undefined
    }
    passing += 1
    const answer = await upstream.ask(message, transport, signal)
    passing -= 1
    if (answer === undefined) return reply(asking, { kind: 'failed' })
    count.passed += 1
    const long = transport === 'udp' && answer.length > mostPassedUdpBytes
    return long ? truncateReply(answer, query) : answer
  }

  return (asking, asker) => {
    const found = answerTo(asking.query, (question) => decide(question, asker))
    return found.kind === 'pass' ? pass(asking) : reply(asking, found)
  }
}

function answerTo(
  { question, edns }: Query,
  decide: (question: Question) => Answer,
): OwnAnswer | Answer {
  if (edns !== undefined && edns.version > 0) return { kind: 'bad-version' }
  if (question.class !== classIn) return { kind: 'refused' }
  if (question.type !== recordType.ANY) return decide(question)
  const first = decide({ ...question, type: recordType.A })
  if (first.kind !== 'records' && first.kind !== 'nodata') return first
  const second = decide({ ...question, type: recordType.AAAA })
  if (first.kind !== 'records') return second.kind === 'records' ? second : first
  if (second.kind !== 'records') return first
  return { ...first, records: [...first.records, ...second.records] }
}
