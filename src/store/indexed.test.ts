import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createChains, createIndex, createIndexedMap } from './indexed.ts'

interface Value {
  readonly groups: readonly string[]
}

const keys = fc.constantFrom('k1', 'k2', 'k3')
const groups = ['a', 'b', 'c']
const change = fc.record({
  key: keys,
  groups: fc.option(fc.uniqueArray(fc.constantFrom(...groups)), { nil: undefined }),
})

test('after any changes a value is found under what it says now, and nowhere else', () => {
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const index = createIndex(({ groups: said }: Value) => said)
      const chains = createChains(({ groups: said }: Value) => said)
      const map = createIndexedMap([index, chains])
      const plain = new Map<string, Value>()
      for (const { key, groups: said } of changes) {
        if (said === undefined) {
          map.delete(key)
          plain.delete(key)
        } else {
          map.set(key, { groups: said })
          plain.set(key, { groups: said })
        }
      }
      expect(map.all).toEqual(plain)
      for (const group of groups) {
        const found = [...plain].filter(([, value]) => value.groups.includes(group))
        expect(new Map(index.of(group))).toEqual(new Map(found))
        expect(new Set(chains.of(group))).toEqual(new Set(found.map(([, value]) => value)))
        expect([...chains.of(group)]).toHaveLength(found.length)
      }
    }),
  )
})
