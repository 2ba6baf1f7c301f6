import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ip, networkId } from '../../test/support/values.ts'
import { planRemove, statements } from './by-hand.ts'
import type { Said, Which } from './by-hand.ts'

const addresses = fc.subarray(['10.0.0.1', '10.0.0.2', 'fd00::1'].map(ip))
const network = fc.option(fc.constantFrom(networkId('front'), networkId('back')), {
  nil: undefined,
})
const container = fc.option(fc.constantFrom('c1', 'c2'), { nil: undefined })
const name = fc.constantFrom('db', 'printer', 'web.example')
const said: fc.Arbitrary<Said> = fc
  .record({ name, addresses, network, container })
  .filter((one) => one.addresses.length > 0 || one.container !== undefined)
const which: fc.Arbitrary<Which> = fc.record({
  name: fc.option(name, { nil: undefined }),
  addresses,
  network,
  container,
})

test('what was added is gone when the same is removed', () => {
  fc.assert(
    fc.property(said, (one) => {
      expect(remove(add([], one), one)).toEqual([])
    }),
  )
})

test('adding twice is adding once, in whatever parts', () => {
  fc.assert(
    fc.property(fc.array(said), said, (before, one) => {
      const once = add(before.reduce(add, []), one)
      expect(add(once, one)).toEqual(once)
      const parts = statements(one).reduce(add, before.reduce(add, []))
      expect(parts).toEqual(once)
    }),
  )
})

test('removing takes all that matches and nothing else, and twice is once', () => {
  fc.assert(
    fc.property(fc.array(said), which, (all, one) => {
      const before = all.reduce(add, [])
      const after = remove(before, one)
      const { addresses: gone } = one
      const expected = before.filter(
        (each) =>
          (one.name !== undefined && one.name !== each.name) ||
          (one.network !== undefined && one.network !== each.network) ||
          (one.container !== undefined && one.container !== each.container) ||
          (gone.length > 0 && !each.addresses.some((address) => gone.includes(address))),
      )
      expect(after).toEqual(expected)
      expect(remove(after, one)).toEqual(after)
    }),
  )
})

test('of several addresses in one statement only those that were given go', () => {
  const both: Said = { name: 'db', addresses: [ip('10.0.0.1'), ip('10.0.0.2')] }
  const { gone, left } = planRemove([both], { addresses: [ip('10.0.0.1')] })
  expect(gone).toEqual([both])
  expect(left.map((one) => one.addresses)).toEqual([['10.0.0.2']])
})

/** Statements as texts tell them apart, in the order in which they were made. */
function add(before: readonly Said[], one: Said): readonly Said[] {
  const all = [...before, ...statements(one)]
  return [...new Map(all.map((each) => [textOf(each), each])).values()]
}

function remove(before: readonly Said[], one: Which): readonly Said[] {
  const { gone, left } = planRemove(before, one)
  return [...before.filter((each) => !gone.includes(each)), ...left]
}

function textOf({ name: called, addresses: at, network: on, container: of }: Said): string {
  return JSON.stringify([called, at, on, of])
}
