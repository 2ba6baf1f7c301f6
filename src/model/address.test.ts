import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  ipBytes,
  ipFromBytes,
  isIpAddress,
  isMac,
  isUnicastMac,
  macBytes,
  macFromBytes,
  parseIp,
} from './address.ts'

test('every IPv4 and IPv6 address survives the round trip through bytes, in canonical text', () => {
  for (const length of [4, 16]) {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: length, maxLength: length }), (bytes) => {
        const ip = ipFromBytes(bytes)
        if (ip === undefined) throw new Error('no address')
        expect(ipBytes(ip)).toEqual(bytes)
        expect(isIpAddress(ip)).toBe(true)
        expect(parseIp(ip.toUpperCase())).toBe(ip)
      }),
    )
  }
})

test('every MAC address survives the round trip through bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
      const mac = macFromBytes(bytes)
      if (mac === undefined) throw new Error('no address')
      expect(isMac(mac)).toBe(true)
      expect(macBytes(mac)).toEqual(bytes)
    }),
  )
})

test.each([
  ['::1', '::1'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['2001:DB8::0:1', '2001:db8::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['::ffff:192.0.2.1', '::ffff:c000:201'],
  ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
])('%s is written as %s', (typed, canonical) => {
  expect(parseIp(typed)).toBe(canonical)
})

test.each([
  '',
  '1',
  '010.0.0.1',
  '256.0.0.1',
  '1.2.3',
  '::1::',
  '1:2:3:4:5:6:7',
  'g::',
  ':1',
  '1:2:3:4:5:6:7:8::',
])('%j is no address', (text) => {
  expect(parseIp(text)).toBeUndefined()
  expect(isIpAddress(text)).toBe(false)
})

test.each(['01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00', '02:00:00:00:00', ''])(
  'no interface has the MAC address %j',
  (text) => {
    expect(isUnicastMac(text)).toBe(false)
  },
)

test('an interface may have a MAC address of its maker, or one made up locally', () => {
  expect(isUnicastMac('00:16:3e:00:00:01')).toBe(true)
  expect(isUnicastMac('02:42:0a:2c:07:09')).toBe(true)
})
