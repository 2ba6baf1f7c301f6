import { expect, test } from 'vitest'
import type { Status } from '../control/messages.ts'
import { isEndpointId } from '../model/cluster.ts'
import type { EndpointId } from '../model/cluster.ts'
import { findOrphans } from './orphans.ts'
import type { Look } from './orphans.ts'

const nowMs = Date.parse('2026-01-01T00:10:00Z')
const old = '2026-01-01T00:00:00Z'
const a = id('a')

test('an endpoint is an orphan at the second look, not at the first', () => {
  const first = findOrphans(look({ endpoints: [endpoint()] }))
  const second = findOrphans(look({ endpoints: [endpoint()], suspects: first.suspects }))

  expect(first.orphans).toEqual([])
  expect(second.orphans).toEqual([a])
})

test('one that was claimed in between is no suspect any more', () => {
  const claimed = findOrphans(
    look({ endpoints: [endpoint()], suspects: new Set([a]), claimed: new Set(['a']) }),
  )

  expect(claimed).toEqual({ orphans: [], suspects: new Set() })
})

test.each([
  ['young', { since: '2026-01-01T00:08:01Z' }],
  ['of unknown age', { since: undefined }],
  ['of an age that is no time', { since: 'yesterday' }],
  ['on another host', { local: false }],
])('one that is %s is left alone', (_why, change) => {
  const given = look({ endpoints: [endpoint(change)], suspects: new Set([a]) })

  expect(findOrphans(given).orphans).toEqual([])
})

function look(given: Partial<Look>): Look {
  const usual = { claimed: new Set<string>(), suspects: new Set<EndpointId>() }
  return { endpoints: [], nowMs, minAgeMs: 120_000, ...usual, ...given }
}

function endpoint(change: object = {}): Status['endpoints'][number] {
  return { id: a, local: true, since: old, ...change } as Status['endpoints'][number]
}

function id(text: string): EndpointId {
  if (!isEndpointId(text)) throw new Error(text)
  return text
}
