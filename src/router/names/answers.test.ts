import { expect, test } from 'vitest'
import { ip } from '../../../test/support/values.ts'
import { toAnswer } from './answers.ts'

const options = { ttlSeconds: 1, random: () => 0 }
const addresses = ['10.0.0.1', '10.0.0.2', 'fd00::1'].map(ip)

test('addresses become records of their family, all of them, in another order', () => {
  const answer = toAnswer({ kind: 'addresses', addresses }, options)
  expect(answer).toEqual({
    kind: 'records',
    ttlSeconds: 1,
    records: [
      { type: 'A', data: '10.0.0.2' },
      { type: 'AAAA', data: 'fd00::1' },
      { type: 'A', data: '10.0.0.1' },
    ],
  })
})

test('every address comes first as often as any other', () => {
  const first = new Map<string, number>()
  for (let round = 0; round < 300; round += 1) {
    // As evenly as random numbers come in the long run.
    const random = spread(round)
    const answer = toAnswer({ kind: 'addresses', addresses }, { ...options, random })
    const data = answer.kind === 'records' ? (answer.records[0]?.data ?? '') : ''
    first.set(data, (first.get(data) ?? 0) + 1)
  }
  expect([...first.values()]).toEqual([100, 100, 100])
})

test.each([
  [{ kind: 'names', names: ['a.weave.local'] } as const, 'records'],
  [{ kind: 'no-data' } as const, 'nodata'],
  [{ kind: 'unknown' } as const, 'nxdomain'],
  [{ kind: 'foreign' } as const, 'pass'],
])('%j is said as %s', (resolution, kind) => {
  expect(toAnswer(resolution, options).kind).toBe(kind)
})

/** Two numbers, which take all 3 × 2 choices in turn. */
function spread(round: number): () => number {
  const numbers = [(round % 3) / 3, ((round / 3) % 2) / 2]
  return () => numbers.shift() ?? 0
}
