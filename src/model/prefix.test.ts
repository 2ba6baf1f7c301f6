import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ipFromBytes } from './address.ts'
import { contains, formatPrefix, networkOf, parsePrefix } from './prefix.ts'

const anyPrefix = fc
  .tuple(fc.constantFrom(4, 16), fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(128))
  .map(([size, bytes, bits]) => {
    const address = ipFromBytes(bytes.subarray(0, size))
    if (address === undefined) throw new Error('no address')
    return { address, length: bits % (size * 8 + 1) }
  })

test('a prefix survives the round trip, lies in its network, and the network is its own', () => {
  fc.assert(
    fc.property(anyPrefix, (prefix) => {
      expect(parsePrefix(formatPrefix(prefix))).toEqual(prefix)
      const network = networkOf(prefix)
      expect(contains(network, prefix.address)).toBe(true)
      expect(networkOf(network)).toEqual(network)
    }),
  )
})

test.each([
  ['10.32.7.9/12', '10.32.0.0/12'],
  ['10.47.255.255/12', '10.32.0.0/12'],
  ['192.0.2.1/32', '192.0.2.1/32'],
  ['192.0.2.1/0', '0.0.0.0/0'],
  ['fd00:1:2:3::9/48', 'fd00:1:2::/48'],
])('%s lies in %s', (text, network) => {
  const prefix = parsePrefix(text)
  if (prefix === undefined) throw new Error('no prefix')
  expect(formatPrefix(networkOf(prefix))).toBe(network)
})

test.each([
  '10.0.0.1',
  '10.0.0.1/',
  '10.0.0.1/33',
  '10.0.0.1/08',
  '10.0.0.1/1/2',
  '::1/129',
  '/8',
  'a/8',
])('%j is no prefix', (text) => {
  expect(parsePrefix(text)).toBeUndefined()
})
