import fc from 'fast-check'
import { expect, test } from 'vitest'
import { attribute, join, nested, readAttributes, text, u16, u32 } from './attribute.ts'
import { decodeMessages, decodeOutcome, encodeMessages } from './message.ts'
import type { Message } from './message.ts'

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString('hex')
}

function bytes(...parts: readonly string[]): string {
  return parts.join('').replaceAll(' ', '')
}

test('an attribute is length, type, payload and padding that does not count', () => {
  expect(hex(attribute(3, text('wvb1')))).toBe(bytes('0900 0300', '77766231 00', '000000'))
  expect(hex(nested(18, [attribute(1, u16(7)), undefined]))).toBe(
    bytes('0c00 1280', '0600 0100 0700 0000'),
  )
})

test('attributes survive the round trip, and garbage behind them ends the list', () => {
  const payload = fc.uint8Array({ maxLength: 40 })
  fc.assert(
    fc.property(fc.dictionary(fc.nat({ max: 0x3fff }).map(String), payload), (given) => {
      const parts = Object.entries(given).map(([type, value]) => attribute(Number(type), value))
      const read = readAttributes(join([...parts, Buffer.from([3, 0, 1, 0])]))
      const asText = Object.entries(given).map(([type, value]) => [type, hex(value)])
      expect(Object.fromEntries([...read].map(([type, value]) => [type, hex(value)]))).toEqual(
        Object.fromEntries(asText),
      )
    }),
  )
})

test('no bytes whatever make the decoders throw or read beyond their end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      for (const message of decodeMessages(Buffer.from(noise))) {
        decodeOutcome({ ...message, flags: 0x300 }, 'anything')
        readAttributes(message.body)
      }
    }),
  )
})

test('requests lie one behind the other, each on a multiple of four, numbered upwards', () => {
  const one = { type: 28, flags: 0x400, body: Buffer.from([1, 2, 3, 4, 5]), what: 'one' }
  const two = { type: 29, flags: 0, body: Buffer.from([6]), what: 'two' }
  const datagram = encodeMessages([one, two], { sequence: 9, flags: 5 })
  expect(hex(datagram)).toBe(
    bytes(
      '15000000 1c00 0504 09000000 00000000 0102030405 000000',
      '11000000 1d00 0500 0a000000 00000000 06 000000',
    ),
  )
  expect(decodeMessages(datagram).map(({ sequence, body }) => [sequence, hex(body)])).toEqual([
    [9, '0102030405'],
    [10, '06'],
  ])
})

/** An acknowledgement as recorded from the kernel: EEXIST, request capped, with an explanation. */
function acknowledgement(errno: number, flags: number): Message {
  const echo = Buffer.alloc(16)
  echo.writeUInt32LE(36)
  const request = (flags & 0x100) === 0 ? Buffer.concat([echo, Buffer.alloc(20)]) : echo
  const body = join([u32(-errno >>> 0), request, attribute(1, text('taken by another'))])
  return { type: 2, flags, sequence: 1, body }
}

test.each([
  ['capped', 0x300],
  ['with the whole request in it', 0x200],
])('a refusal tells number, name and the kernel’s words (%s)', (_, flags) => {
  expect(decodeOutcome(acknowledgement(17, flags), 'create tunnel wvx1')).toMatchObject({
    errno: 17,
    code: 'EEXIST',
    detail: 'taken by another',
    message: 'create tunnel wvx1: file already exists (taken by another)',
  })
})

test('zero is success, and a number without a name is still an error', () => {
  expect(decodeOutcome(acknowledgement(0, 0x300), 'x')).toBeUndefined()
  expect(decodeOutcome(acknowledgement(524, 0), 'x')).toMatchObject({ code: 'E524' })
})
