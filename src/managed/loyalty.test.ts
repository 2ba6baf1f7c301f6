import { expect, test } from 'vitest'
import { agreed } from './loyalty.ts'

const silent = { peer: 'a:1', answer: { problem: 'refuses connections' } }
const one = { peer: 'b:1', answer: { cluster: 'one' } }

test.each([
  [[], undefined],
  [[silent], undefined],
  [[silent, one, { ...one, peer: 'c:1' }], 'one'],
  [[one, { peer: 'c:1', answer: { cluster: 'two' } }], undefined],
])('managers that answer %j mean cluster %s', (asked, cluster) => {
  expect(agreed(asked)).toBe(cluster)
})
