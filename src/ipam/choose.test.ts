import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatPrefix, overlaps, parsePrefix } from '../model/prefix.ts'
import type { Prefix } from '../model/prefix.ts'
import { chooseSubnet } from './choose.ts'

test.each([
  ['10.32.0.0/12', 20, [], '10.32.0.0/20'],
  ['10.32.0.0/12', 20, ['10.32.0.0/20'], '10.32.16.0/20'],
  ['10.32.0.0/12', 20, ['10.32.0.7/32'], '10.32.16.0/20'],
  ['10.32.0.0/12', 20, ['10.0.0.0/8'], undefined],
  ['10.32.0.0/12', 24, ['10.32.0.0/16', 'fd00::/8'], '10.33.0.0/24'],
  ['10.32.0.0/24', 24, [], '10.32.0.0/24'],
  ['fd00::/48', 64, ['fd00::/64'], 'fd00:0:0:1::/64'],
])('from %s, a /%i beside %j is %s', (from, length, taken, expected) => {
  const subnet = chooseSubnet({ from: prefix(from), length, taken: taken.map(prefix) })
  expect(subnet === undefined ? undefined : formatPrefix(subnet)).toBe(expected)
})

test('each is another one, inside, until none is left', () => {
  fc.assert(
    fc.property(fc.integer({ min: 12, max: 20 }), fc.nat(4), (start, more) => {
      const from = prefix(`10.32.0.0/${start}`)
      const taken: Prefix[] = []
      for (let count = 0; count < 2 ** more; count += 1) {
        const subnet = chooseSubnet({ from, length: start + more, taken })
        if (subnet === undefined) throw new Error('one too few')
        expect(overlaps(from, subnet)).toBe(true)
        expect(taken.some((other) => overlaps(other, subnet))).toBe(false)
        taken.push(subnet)
      }
      expect(chooseSubnet({ from, length: start + more, taken })).toBeUndefined()
    }),
  )
})

function prefix(text: string): Prefix {
  const found = parsePrefix(text)
  if (found === undefined) throw new Error(text)
  return found
}
