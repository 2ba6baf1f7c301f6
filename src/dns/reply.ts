/**
 * How is an answer written?
 *
 * The question is sent back byte for byte, since some askers hide a secret in its case. Names that occurred
 * before are written as pointers. What does not fit is left out, and TC says so: the asker comes again by TCP.
 *
 * That something is absent is cached for as long as the SOA record says that comes with it (RFC 2308); without
 * one, resolvers do what they like. Its owner must be above the question's name: our zone, or else the root.
 *
 * Invariants
 *   - Never longer than `mostBytes`, which is at least 512.
 *   - A record that cannot be written (an address of the other family, a label of 64 bytes) is skipped.
 */

import { ipBytes, parseIp } from '../model/address.ts'
import type { Query } from './message.ts'
import { encodeName, foldCase } from './name.ts'
import { classIn, flag, headBytes, opcodeMask, rcode, recordType } from './wire.ts'

export interface AnswerRecord {
  readonly type: 'A' | 'AAAA' | 'PTR'
  /** An address in any spelling, or for PTR a name as in `name.ts`. */
  readonly data: string
}

export type Answer =
  /** In the order in which they are sent: whoever wants them shuffled does it before. */
  | {
      readonly kind: 'records'
      readonly records: readonly AnswerRecord[]
      readonly ttlSeconds: number
    }
  /** The name exists, but has nothing of this type. */
  | { readonly kind: 'nodata' }
  | { readonly kind: 'nxdomain' }
  | { readonly kind: 'refused' }
  /** Not ours: to be handed on. */
  | { readonly kind: 'pass' }

export type OwnAnswer =
  | Exclude<Answer, { kind: 'pass' }>
  /** Nobody answered us in time. */
  | { readonly kind: 'failed' }
  /** EDNS of a version that nobody has heard of yet. */
  | { readonly kind: 'bad-version' }

export interface ReplyOptions {
  readonly mostBytes: number
  /** What we tell askers about ourselves: the longest datagram we take. */
  readonly ednsBytes: number
  readonly zone: Zone
  /** How long absence may be cached. */
  readonly ttlSeconds: number
  /** Whether names of others are found here, too. */
  readonly recursion: boolean
}

/** The domain that absence is told of: all that is the same in each such reply. */
export interface Zone {
  /** As `foldCase` has it, with a dot before it. */
  readonly ending: string
  readonly name: Buffer
  readonly contact: Buffer
}

/** @throws RangeError when `text` is no name; names from users are checked where they are given. */
export function readZone(text: string): Zone {
  const name = encodeName(text)
  const contact = encodeName(`hostmaster.${text}`)
  if (name === undefined || contact === undefined) throw new RangeError(`no zone: ${text}`)
  return { ending: `.${foldCase(text)}`, name, contact }
}

const root = Buffer.of(0)

const optBytes = 11
/** Type, class, TTL and length of a record, after its owner. */
const fixedBytes = 10
/** Beyond this offset no pointer reaches. */
const pointerLimit = 0x4000

const rcodes: Readonly<Record<OwnAnswer['kind'], number>> = {
  records: rcode.noError,
  nodata: rcode.noError,
  nxdomain: rcode.nxDomain,
  refused: rcode.refused,
  failed: rcode.servFail,
  'bad-version': rcode.badVers,
}

/** What is written so far; nothing goes beyond `end`. */
interface Draft {
  readonly bytes: Buffer
  readonly end: number
  at: number
  /** Where names, as bytes, begin that a pointer may lead to. */
  readonly names: Map<string, number>
}

export function encodeReply(query: Query, answer: OwnAnswer, options: ReplyOptions): Buffer {
  const opt = query.edns === undefined ? 0 : optBytes
  const bytes = Buffer.allocUnsafe(Math.min(options.mostBytes, mostNeeded(query, answer)))
  const draft: Draft = { bytes, end: bytes.length - opt, at: headBytes, names: new Map() }
  draft.at += query.questionBytes.copy(bytes, draft.at)
  noteNames(draft, { wire: query.questionBytes.subarray(0, -4), at: headBytes })
  const { count, whole } = writeRecords(draft, query, answer)
  const absent = count === 0 && whole && answer.kind in { records: 0, nodata: 0, nxdomain: 0 }
  const authorities = absent && writeSoa(draft, query, options) ? 1 : 0
  if (query.edns !== undefined) writeOpt(draft, query.edns.dnssecOk, { answer, options })
  const flags = flagsOf(query, answer, options) | (whole ? 0 : flag.truncated)
  bytes.writeUInt16BE(query.id, 0)
  bytes.writeUInt16BE(flags | (rcodes[answer.kind] & 0xf), 2)
  for (const [index, value] of [1, count, authorities, opt === 0 ? 0 : 1].entries())
    bytes.writeUInt16BE(value, 4 + 2 * index)
  return bytes.subarray(0, draft.at)
}

/** A head with an rcode, for what is no question. `message` has at least a head itself. */
export function encodeRefusal(message: Buffer, code: number): Buffer {
  const bytes = Buffer.alloc(headBytes)
  const kept = message.readUInt16BE(2) & (opcodeMask | flag.recursionDesired)
  bytes.writeUInt16BE(message.readUInt16BE(0), 0)
  bytes.writeUInt16BE(flag.response | kept | code, 2)
  return bytes
}

/**
 * Somebody else's reply without its records, for when it is longer than we may send. The question is ours:
 * theirs may be written in a way that needs the rest.
 */
export function truncateReply(reply: Buffer, query: Query): Buffer {
  const bytes = Buffer.alloc(headBytes + query.questionBytes.length)
  reply.copy(bytes, 0, 0, 4)
  bytes.writeUInt16BE(reply.readUInt16BE(2) | flag.truncated, 2)
  bytes.writeUInt16BE(1, 4)
  query.questionBytes.copy(bytes, headBytes)
  return bytes
}

function mostNeeded(query: Query, answer: OwnAnswer): number {
  const records = answer.kind === 'records' ? answer.records : []
  const soa = 600
  return records.reduce(
    (sum, { type }) => sum + 2 + fixedBytes + (type === 'PTR' ? 255 : 16),
    headBytes + query.questionBytes.length + soa + optBytes,
  )
}

function flagsOf(query: Query, answer: OwnAnswer, options: ReplyOptions): number {
  const ours = answer.kind === 'records' || answer.kind === 'nodata' || answer.kind === 'nxdomain'
  return (
    flag.response |
    (ours ? flag.authoritative : 0) |
    (query.recursionDesired ? flag.recursionDesired : 0) |
    (options.recursion ? flag.recursionAvailable : 0) |
    (query.checkingDisabled ? flag.checkingDisabled : 0)
  )
}

function writeRecords(
  draft: Draft,
  query: Query,
  answer: OwnAnswer,
): { readonly count: number; readonly whole: boolean } {
  if (answer.kind !== 'records') return { count: 0, whole: true }
  const owner = query.questionBytes.subarray(0, -4)
  let count = 0
  for (const { type, data } of answer.records) {
    const body = type === 'PTR' ? encodeName(data) : addressBytes(type, data)
    if (body === undefined) continue
    const head = { owner, type: recordType[type], ttlSeconds: answer.ttlSeconds }
    const fits = writeRecord(draft, head, () =>
      type === 'PTR' ? writeName(draft, body) : writeBytes(draft, body),
    )
    if (!fits) return { count, whole: false }
    count += 1
  }
  return { count, whole: true }
}

function addressBytes(type: 'A' | 'AAAA', data: string): Uint8Array | undefined {
  const ip = parseIp(data)
  const bytes = ip === undefined ? undefined : ipBytes(ip)
  return bytes?.length === (type === 'A' ? 4 : 16) ? bytes : undefined
}

/** Without it nothing is lost but caching; so TC is not set when it does not fit. */
function writeSoa(draft: Draft, query: Query, { zone, ttlSeconds }: ReplyOptions): boolean {
  const isOurs = `.${foldCase(query.question.name)}`.endsWith(zone.ending)
  const head = { owner: isOurs ? zone.name : root, type: recordType.SOA, ttlSeconds }
  // Serial, refresh, retry and expiry are for secondary servers, of which there are none.
  const numbers = Buffer.alloc(20)
  for (const [index, value] of [1, 3600, 600, 86_400, ttlSeconds].entries())
    numbers.writeUInt32BE(value, 4 * index)
  return writeRecord(
    draft,
    head,
    () =>
      writeName(draft, zone.name) && writeName(draft, zone.contact) && writeBytes(draft, numbers),
  )
}

interface RecordHead {
  /** As bytes, without pointers. */
  readonly owner: Buffer
  readonly type: number
  readonly ttlSeconds: number
}

/** Whether it fitted; if not, nothing is written. */
function writeRecord(draft: Draft, head: RecordHead, writeBody: () => boolean): boolean {
  const { bytes, at: start } = draft
  const fits = writeName(draft, head.owner)
  const fields = draft.at
  draft.at += fixedBytes
  if (!fits || !writeBody()) {
    draft.at = start
    forgetNames(draft)
    return false
  }
  bytes.writeUInt16BE(head.type, fields)
  bytes.writeUInt16BE(classIn, fields + 2)
  bytes.writeUInt32BE(head.ttlSeconds, fields + 4)
  bytes.writeUInt16BE(draft.at - fields - fixedBytes, fields + 8)
  return true
}

function writeBytes(draft: Draft, body: Uint8Array): boolean {
  if (draft.at + body.length > draft.end) return false
  draft.bytes.set(body, draft.at)
  draft.at += body.length
  return true
}

/** Writes labels up to the first place from which on the rest was written before, then a pointer there. */
function writeName(draft: Draft, wire: Uint8Array): boolean {
  const name = Buffer.from(wire.buffer, wire.byteOffset, wire.length)
  let known: number | undefined
  let cut = 0
  while (name[cut] !== 0) {
    known = draft.names.get(name.toString('latin1', cut))
    if (known !== undefined) break
    cut += 1 + (name[cut] ?? 0)
  }
  const at = draft.at
  if (known === undefined) {
    if (!writeBytes(draft, name)) return false
  } else {
    const pointer = Uint8Array.of(0xc0 | (known >> 8), known & 0xff)
    if (!writeBytes(draft, name.subarray(0, cut)) || !writeBytes(draft, pointer)) return false
  }
  noteNames(draft, { wire: name, at, until: cut })
  return true
}

function noteNames(
  { names }: Draft,
  { wire, at, until }: { readonly wire: Buffer; readonly at: number; readonly until?: number },
): void {
  let label = 0
  while (wire[label] !== 0 && label < (until ?? wire.length) && at + label < pointerLimit) {
    names.set(wire.toString('latin1', label), at + label)
    label += 1 + (wire[label] ?? 0)
  }
}

/** Those that were written after where we are now again. */
function forgetNames({ names, at }: Draft): void {
  for (const [name, offset] of names) if (offset >= at) names.delete(name)
}

function writeOpt(
  draft: Draft,
  dnssecOk: boolean,
  { answer, options }: { readonly answer: OwnAnswer; readonly options: ReplyOptions },
): void {
  const { bytes, at } = draft
  bytes.fill(0, at, at + optBytes)
  bytes.writeUInt16BE(recordType.OPT, at + 1)
  bytes.writeUInt16BE(options.ednsBytes, at + 3)
  bytes.writeUInt8(rcodes[answer.kind] >> 4, at + 5)
  bytes.writeUInt8(dnssecOk ? 0x80 : 0, at + 7)
  draft.at += optBytes
}
