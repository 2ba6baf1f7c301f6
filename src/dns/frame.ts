/**
 * How are DNS messages cut out of a TCP stream, and put into one?
 *
 *   length(2)  message  length(2)  message …        (RFC 1035, 4.2.2)
 *
 * Bytes may come one at a time: each is copied once, and no more is kept than one message.
 */

import { tcpMessageBytes } from './wire.ts'

export interface Frames {
  /** The messages that `chunk` completes. */
  readonly push: (chunk: Buffer) => Buffer[]
}

export function createFrames(): Frames {
  let message: Buffer | undefined
  let firstLengthByte: number | undefined
  let filled = 0

  /** Takes bytes of `chunk` from `at`; returns where it stopped: at the end, or behind a message. */
  function take(chunk: Buffer, at: number): number {
    if (message === undefined) {
      const byte = chunk[at] ?? 0
      if (firstLengthByte === undefined) firstLengthByte = byte
      else message = Buffer.allocUnsafe((firstLengthByte << 8) | byte)
      return at + 1
    }
    const copied = chunk.copy(message, filled, at)
    filled += copied
    return at + copied
  }

  return {
    push(chunk) {
      const messages: Buffer[] = []
      let at = 0
      while (at < chunk.length) {
        at = take(chunk, at)
        if (message === undefined || filled < message.length) continue
        messages.push(message)
        message = undefined
        firstLengthByte = undefined
        filled = 0
      }
      return messages
    },
  }
}

/** With its length before it. @throws RangeError beyond 65535 bytes. */
export function framed(message: Buffer): Buffer {
  if (message.length > tcpMessageBytes) throw new RangeError('longer than a DNS message can be')
  return Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message])
}
