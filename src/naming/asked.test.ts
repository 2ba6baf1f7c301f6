import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ipFromNumber } from '../model/address.ts'
import { questionOf } from './asked.ts'
import { formatReverse, readReverse } from './reverse.ts'

test.each([
  ['web', 'web'],
  ['web.weave.local.', 'web.weave.local'],
  ['192.0.2.7', '7.2.0.192.in-addr.arpa'],
  ['7.2.0.192.in-addr.arpa.', '7.2.0.192.in-addr.arpa'],
  ['FD00:0::1f', `f.1.${'0.'.repeat(26)}0.0.d.f.ip6.arpa`],
])('%s asks for everything about %s', (typed, name) => {
  expect(questionOf(typed)).toEqual({ name, type: 255 })
})

test('every address comes back from its name in the reverse trees', () => {
  const ipv4 = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value) => ipFromNumber(value, 32))
  const ipv6 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value) => ipFromNumber(value, 128))
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), (address) => {
      expect(address).toBeDefined()
      const back = address === undefined ? undefined : readReverse(formatReverse(address))
      expect(back).toBe(address)
    }),
  )
})
