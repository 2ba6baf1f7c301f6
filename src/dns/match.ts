/**
 * Is this the reply to that question?
 *
 * A query that is handed on keeps every byte but its ID, which is ours: random, so that nobody who does not
 * see it can reply. And a reply must repeat the question, in either case of letters.
 */

import { randomInt } from 'node:crypto'
import { readName, foldCase } from './name.ts'
import { flag, headBytes, rcode, rcodeMask } from './wire.ts'

export function randomId(): number {
  return randomInt(0x1_0000)
}

export function idOf(message: Buffer): number {
  return message.readUInt16BE(0)
}

export function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message)
  copy.writeUInt16BE(id, 0)
  return copy
}

export function rcodeOf(message: Buffer): number {
  return message.readUInt16BE(2) & rcodeMask
}

/** IDs are compared by the caller. A server that could not read the question may leave it out. */
export function repliesTo(query: Buffer, reply: Buffer): boolean {
  if (reply.length < headBytes || (reply.readUInt16BE(2) & flag.response) === 0) return false
  const questions = reply.readUInt16BE(4)
  if (questions === 0) return rcodeOf(reply) !== rcode.noError
  const asked = questionText(query)
  return questions === 1 && asked !== undefined && asked === questionText(reply)
}

function questionText(message: Buffer): string | undefined {
  const found = readName(message, headBytes)
  if (found === undefined || found.end + 4 > message.length) return undefined
  const { name, end } = found
  return `${message.readUInt32BE(end)} ${foldCase(name)}`
}
