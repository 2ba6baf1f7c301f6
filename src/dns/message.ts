/**
 * What is asked in a datagram?
 *
 * Anybody may send anything. So nothing here loops but over bytes that are there: no pointer is followed,
 * and the counts in the head are not believed beyond what a question can have.
 *
 *   drop     not worth a reply: too short to have an ID, or a reply itself (two servers would talk for ever)
 *   refuse   a head with this rcode is all the reply there is: never longer than what was sent
 *   query    one well-formed question, of any type and class, with or without EDNS
 */

import { readName, skipName } from './name.ts'
import { flag, headBytes, opcodeMask, plainUdpBytes, rcode, recordType } from './wire.ts'

export interface Question {
  /** As asked, case kept, without the last dot; '' is the root. `name.ts` says how bytes become text. */
  readonly name: string
  readonly type: number
  readonly class: number
}

export interface Edns {
  /** What the asker can take in one datagram, at least 512. */
  readonly udpBytes: number
  readonly version: number
  readonly dnssecOk: boolean
}

export interface Query {
  readonly id: number
  readonly recursionDesired: boolean
  readonly checkingDisabled: boolean
  readonly question: Question
  /** The question as it came, to be sent back so. */
  readonly questionBytes: Buffer
  readonly edns: Edns | undefined
}

export type Decoded =
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'refuse'; readonly rcode: number }
  | { readonly kind: 'drop' }

/** No more of them is in any question: an SOA (IXFR, RFC 1995), and an OPT beside a signature. */
const mostAuthorities = 1
const mostAdditionals = 2

/** Never throws; takes time in proportion to the length at most. */
export function decodeQuery(bytes: Buffer): Decoded {
  if (bytes.length < headBytes) return { kind: 'drop' }
  const flags = bytes.readUInt16BE(2)
  if ((flags & flag.response) !== 0) return { kind: 'drop' }
  if ((flags & opcodeMask) !== 0) return { kind: 'refuse', rcode: rcode.notImp }
  if (!countsAreThoseOfAQuestion(bytes)) return malformed
  const found = readQuestion(bytes)
  if (found === undefined) return malformed
  const edns = readEdns(bytes, found.end)
  if (edns === 'malformed') return malformed
  const query: Query = {
    id: bytes.readUInt16BE(0),
    recursionDesired: (flags & flag.recursionDesired) !== 0,
    checkingDisabled: (flags & flag.checkingDisabled) !== 0,
    question: found.question,
    questionBytes: bytes.subarray(headBytes, found.end),
    edns,
  }
  return { kind: 'query', query }
}

const malformed: Decoded = { kind: 'refuse', rcode: rcode.formErr }

function countsAreThoseOfAQuestion(bytes: Buffer): boolean {
  return (
    bytes.readUInt16BE(4) === 1 &&
    bytes.readUInt16BE(6) === 0 &&
    bytes.readUInt16BE(8) <= mostAuthorities &&
    bytes.readUInt16BE(10) <= mostAdditionals
  )
}

function readQuestion(bytes: Buffer): { question: Question; end: number } | undefined {
  const found = readName(bytes, headBytes)
  if (found === undefined || found.end + 4 > bytes.length) return undefined
  const { name, end } = found
  const question = { name, type: bytes.readUInt16BE(end), class: bytes.readUInt16BE(end + 2) }
  return { question, end: end + 4 }
}

/**
 * The OPT record among what follows the question. Its class and TTL have a meaning of their own:
 *
 *   0   TYPE=41   CLASS=udpBytes   TTL= extended rcode(8) version(8) DO(1) zero(15)   RDLENGTH   options
 */
function readEdns(bytes: Buffer, from: number): Edns | undefined | 'malformed' {
  const authorities = bytes.readUInt16BE(8)
  const count = authorities + bytes.readUInt16BE(10)
  let edns: Edns | undefined
  let at = from
  for (let index = 0; index < count; index += 1) {
    const fields = skipName(bytes, at)
    if (fields === undefined || fields + 10 > bytes.length) return 'malformed'
    const end = fields + 10 + bytes.readUInt16BE(fields + 8)
    if (end > bytes.length) return 'malformed'
    if (bytes.readUInt16BE(fields) === recordType.OPT) {
      if (edns !== undefined || fields !== at + 1 || index < authorities) return 'malformed'
      edns = decodeOpt(bytes, fields)
    }
    at = end
  }
  return edns
}

function decodeOpt(bytes: Buffer, fields: number): Edns {
  return {
    udpBytes: Math.max(bytes.readUInt16BE(fields + 2), plainUdpBytes),
    version: bytes.readUInt8(fields + 5),
    dnssecOk: (bytes.readUInt8(fields + 6) & 0x80) !== 0,
  }
}
