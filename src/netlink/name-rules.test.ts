import { expect, test } from 'vitest'
import { attribute, text } from './attribute.ts'
import { decodeMessages } from './message.ts'
import { encodeNameRules, encodeNoNameRules } from './name-rules.ts'
import { encodeBatch } from './nfnetlink.ts'

function hex(value: Uint8Array | undefined): string {
  return Buffer.from(value ?? []).toString('hex')
}

function bytes(...parts: readonly string[]): string {
  return parts.join('').replaceAll(' ', '')
}

/** Family ip, version 0, then the table’s name: attribute 1 of everything. */
const inTable = bytes('02000000', '0e000100 77656176652d646e7300 0000')
const [table, , owned, set, queries, , , , answers, connections, streams] = encodeNameRules({
  udpPort: 5000,
  tcpPort: 5001,
  owned: true,
})

function bodies(options: { readonly owned: boolean }): readonly string[] {
  return encodeNameRules({ udpPort: 1, tcpPort: 2, ...options }).map(({ body }) => hex(body))
}

/** LIST_ELEM { EXPR_NAME, EXPR_DATA }. */
function expression(name: string, data: string): string {
  const named = attribute(1, text(name))
  const held = attribute(0x8002, Buffer.from(bytes(data), 'hex'))
  return hex(attribute(0x8001, Buffer.concat([named, held])))
}

test('a batch lies between begin and end, and only the last of its requests is acknowledged', () => {
  expect(hex(encodeBatch(encodeNoNameRules()))).toBe(
    bytes(
      '14000000 1000 0100 00000000 00000000 0000 000a', // REQUEST; of the subsystem nftables
      '24000000 020a 0500 01000000 00000000', // REQUEST|ACK
      inTable,
      '14000000 1100 0100 02000000 00000000 0000 000a',
    ),
  )
  const requests = encodeNameRules({ udpPort: 1, tcpPort: 2, owned: true })
  const sent = decodeMessages(encodeBatch(requests))
  expect(sent.flatMap(({ flags }, index) => ((flags & 4) === 0 ? [] : [index]))).toEqual([
    requests.length,
  ])
})

test('the table replaces the one of a dead router, and has an owner where the kernel can', () => {
  expect([hex(table?.body), hex(owned?.body)]).toEqual([
    inTable,
    bytes(inTable, '0800 0200 00000002'), // NFT_TABLE_F_OWNER
  ])
  const [first, deleted, again] = encodeNameRules({ udpPort: 1, tcpPort: 2, owned: false })
  expect([first?.type, deleted?.type, again?.type]).toEqual([0x0a00, 0x0a02, 0x0a00])
  expect(bodies({ owned: false }).slice(0, 3)).toEqual([inTable, inTable, inTable])
})

test('the set forgets addresses after four seconds', () => {
  expect(set).toMatchObject({ type: 0x0a09, flags: 0x400 }) // NEWSET, CREATE
  expect(hex(set?.body)).toBe(
    bytes(
      inTable,
      '0a00 0200 616c69766500 0000', // alive
      '0800 0300 00000030', // TIMEOUT|EVAL
      '0800 0400 00000007', // shown as IPv4 addresses
      '0800 0500 00000004', // of four bytes
      '0c00 0980 0800 0100 00000040', // room for 64
      '0800 0a00 00000001',
      '0c00 0b00 0000000000000fa0', // ms, 64 bits
      '0800 0c00 0000ea60',
    ),
  )
})

test('chains are hooked where packets leave: ahead of connection tracking, and of Docker’s -100', () => {
  expect(hex(queries?.body)).toBe(
    bytes(
      inTable,
      '0c00 0300 7175657269657300',
      '1400 0480 0800 0100 00000003 0800 0200 fffffed4', // LOCAL_OUT, -300
      '0b00 0700 66696c74657200 00',
    ),
  )
  expect(hex(connections?.body)).toContain(bytes('0800 0100 00000003', '0800 0200 ffffff92')) // -110
})

test('what we answer looks as if it came from port 53', () => {
  const rule = [
    expression(
      'payload',
      '0800 0100 00000001 0800 0200 00000001 0800 0300 0000000c 0800 0400 00000004',
    ),
    expression('cmp', '0800 0100 00000001 0800 0200 00000000 0c00 0380 0800 0100 7f00000b'),
    expression('meta', '0800 0200 00000010 0800 0100 00000001'),
    expression('cmp', '0800 0100 00000001 0800 0200 00000000 0c00 0380 0500 0100 11 000000'), // UDP
    expression(
      'payload',
      '0800 0100 00000001 0800 0200 00000002 0800 0300 00000000 0800 0400 00000002',
    ),
    expression('cmp', '0800 0100 00000001 0800 0200 00000000 0c00 0380 0600 0100 1388 0000'), // from 5000
    expression('immediate', '0800 0100 00000001 0c00 0280 0600 0100 0035 0000'),
    expression(
      'payload', // to the source port, with the checksum at 6
      '0800 0500 00000001 0800 0200 00000002 0800 0300 00000000 0800 0400 00000002 0800 0600 00000001 0800 0700 00000006 0800 0800 00000000',
    ),
  ]
  expect(answers).toMatchObject({ type: 0x0a06, flags: 0xc00 }) // NEWRULE, CREATE|APPEND
  expect(hex(answers?.body)).toContain(bytes(...rule))
})

test('a connection is translated by the registers that hold address and port', () => {
  const rule = [
    expression('immediate', '0800 0100 00000001 0c00 0280 0800 0100 7f00000b'),
    expression('immediate', '0800 0100 00000002 0c00 0280 0600 0100 1389 0000'), // 5001
    expression(
      'nat',
      '0800 0100 00000001 0800 0200 00000002 0800 0300 00000001 0800 0500 00000002',
    ),
  ]
  expect(hex(streams?.body).endsWith(bytes(...rule))).toBe(true)
})
