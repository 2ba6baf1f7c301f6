import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ifIndex, ip, mac } from '../../test/support/values.ts'
import { ipFromBytes, macFromBytes } from '../model/address.ts'
import {
  decodeForwarding,
  encodeAddDefault,
  encodeDeleteBridgeEntry,
  encodeDeleteDefault,
  encodeDeleteTunnelEntry,
  encodeSetBridgeEntry,
  encodeSetRemote,
  encodeSetTunnelEntry,
} from './forwarding.ts'
import { decodeNeighbour, encodeDeleteNeighbour, encodeSetNeighbour } from './neighbour.ts'

function hex({ body }: { readonly body: Uint8Array }): string {
  return Buffer.from(body).toString('hex')
}

function bytes(...parts: readonly string[]): string {
  return parts.join('').replaceAll(' ', '')
}

const link = ifIndex(7)
const far = mac('02:42:0a:20:00:02')
const farBytes = '0a00 0200 02420a200002 0000' // NDA_LLADDR
const everyBytes = '0a00 0200 000000000000 0000'
const hostBytes = '0800 0100 c0000202' // NDA_DST
const host = ip('192.0.2.2')

test('a remote MAC is written into both tables at once, static, over whatever was there', () => {
  const request = encodeSetRemote(link, { mac: far, host })
  expect(request).toMatchObject({ type: 28, flags: 0x500 }) // RTM_NEWNEIGH, CREATE|REPLACE
  // AF_BRIDGE, index, NOARP|REACHABLE, SELF|MASTER
  expect(hex(request)).toBe(bytes('07 000000 07000000 4200 06 00', farBytes, hostBytes))
})

test('another UDP port and an IPv6 underlay are part of the destination', () => {
  const request = encodeSetTunnelEntry(link, { mac: far, host: ip('fd00::2'), port: 7784 })
  expect(hex(request)).toBe(
    bytes(
      '07 000000 07000000 4200 02 00',
      farBytes,
      '1400 0100 fd000000000000000000000000000002',
      '0600 0600 1e68 0000', // NDA_PORT, big-endian
    ),
  )
})

test('default destinations are added beside each other and deleted one at a time', () => {
  expect(encodeAddDefault(link, { host })).toMatchObject({ type: 28, flags: 0xc00 }) // CREATE|APPEND
  expect(encodeDeleteDefault(link, { host })).toMatchObject({ type: 29, flags: 0 })
  for (const request of [encodeAddDefault(link, { host }), encodeDeleteDefault(link, { host })]) {
    expect(hex(request)).toBe(bytes('07 000000 07000000 4200 02 00', everyBytes, hostBytes))
  }
})

test('each table can be written and cleared on its own', () => {
  const bridge = bytes('07 000000 07000000 4200 04 00', farBytes)
  const tunnel = bytes('07 000000 07000000 4200 02 00', farBytes)
  expect(hex(encodeSetBridgeEntry(link, far))).toBe(bridge)
  expect(hex(encodeDeleteBridgeEntry(link, far))).toBe(bridge)
  expect(hex(encodeDeleteTunnelEntry(link, far))).toBe(tunnel)
})

test('addresses that a network card merely listens to are in neither table', () => {
  const own = Buffer.from(
    bytes('07 000000 07000000 8000 02 00', '0a00 0200 333300000001 0000'),
    'hex',
  )
  expect(decodeForwarding(own)).toBeUndefined()
})

test('a bridge’s own address is told from ours, and ours from a learned one', () => {
  const states = [
    ['8000', 'local'],
    ['4000', 'static'],
    ['0200', 'dynamic'],
  ] as const
  for (const [state, meaning] of states) {
    const bytesOf = bytes(`07 000000 07000000 ${state} 00 00`, farBytes, '0800 0900 03000000')
    expect(decodeForwarding(Buffer.from(bytesOf, 'hex'))).toEqual({
      link,
      mac: far,
      state: meaning,
      table: 'bridge',
      master: 3,
    })
  }
})

const anyMac = fc.uint8Array({ minLength: 6, maxLength: 6 })
const anyIp = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
)

test('every entry reads back as it was written', () => {
  fc.assert(
    fc.property(anyMac, anyIp, fc.option(fc.integer({ min: 1, max: 65_535 })), (m, i, port) => {
      const [entryMac, entryIp] = [macFromBytes(m), ipFromBytes(i)]
      if (entryMac === undefined || entryIp === undefined) throw new Error('impossible')
      const to = { host: entryIp, ...(port === null ? {} : { port }) }
      const { body } = encodeSetTunnelEntry(link, { mac: entryMac, ...to })
      expect(decodeForwarding(Buffer.from(body))).toEqual({
        link,
        table: 'tunnel',
        mac: entryMac,
        state: 'static',
        ...to,
      })
      const neighbour = encodeSetNeighbour(link, { ip: entryIp, mac: entryMac })
      expect(decodeNeighbour(Buffer.from(neighbour.body))).toEqual({
        link,
        ip: entryIp,
        mac: entryMac,
        permanent: true,
      })
    }),
  )
})

test('neighbours are permanent, which exempts them from the table’s limit', () => {
  expect(hex(encodeSetNeighbour(link, { ip: ip('10.32.0.2'), mac: far }))).toBe(
    bytes('02 000000 07000000 8000 00 00', '0800 0100 0a200002', farBytes),
  )
  expect(hex(encodeDeleteNeighbour(link, ip('fd00::2')))).toBe(
    bytes('0a 000000 07000000 0000 00 00', '1400 0100 fd000000000000000000000000000002'),
  )
})
