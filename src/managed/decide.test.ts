import { expect, test } from 'vitest'
import { decide } from './decide.ts'
import type { Asked, Next, Note, Situation } from './decide.ts'

const one = '1'.repeat(32)
const two = '2'.repeat(32)
const silent: Asked = { peer: '10.0.0.1:6783', answer: { problem: 'refuses connections' } }
const worker: Situation = { state: 'active', isManager: false, asked: [silent] }
const manager: Situation = { ...worker, isManager: true }

test.each(['', 'inactive', 'pending', 'error', 'locked'])(
  'an engine whose state in the swarm is %j waits',
  (state) => {
    expect(codeOf(decide({ ...manager, state, asked: [answering('10.0.0.1', one)] }))).toBe(
      'NOT_IN_SWARM',
    )
  },
)

test('who answers is joined, by workers and managers alike', () => {
  const asked = [silent, answering('10.0.0.2', one), answering('10.0.0.3', one)]
  const join = { kind: 'join', peers: ['10.0.0.2:6783', '10.0.0.3:6783'] }

  expect(decide({ ...worker, asked })).toEqual(join)
  expect(decide({ ...manager, asked })).toEqual(join)
  expect(decide({ ...manager, asked, note: note({}) })).toEqual(join)
})

test('a worker never founds, and says whom it asked', () => {
  const next = decide(worker)

  expect(codeOf(next)).toBe('NO_PEER_IN_SWARM')
  expect(next.kind === 'wait' && next.fault.message).toContain('10.0.0.1:6783 refuses connections')
})

test('of managers that find no note each claims, and only the one that the note names founds', () => {
  expect(decide(manager)).toEqual({ kind: 'claim' })
  expect(decide({ ...manager, note: note({ isOwn: true }) })).toEqual({
    kind: 'found',
    cluster: one,
  })
  expect(codeOf(decide({ ...manager, note: note({}) }))).toBe('FOUNDER_AWAY')
})

test('the founder founds again, also when others answer: the store they know is its own', () => {
  const asked = [answering('10.0.0.2', one)]

  expect(decide({ ...manager, asked, note: note({ isOwn: true }) })).toEqual({
    kind: 'found',
    cluster: one,
  })
})

test('a founder that the swarm has removed is waited for no more; one that is down is', () => {
  const removed = note({ isMember: false })

  expect(decide({ ...manager, note: removed })).toEqual({ kind: 'retract', note: removed })
  expect(decide({ ...manager, asked: [answering('10.0.0.2', one)], note: removed }).kind).toBe(
    'join',
  )
})

test('peers of two clusters are not chosen from, unless the note says which is right', () => {
  const asked = [answering('10.0.0.2', two), answering('10.0.0.3', one)]

  expect(codeOf(decide({ ...worker, asked }))).toBe('CLUSTERS_DIFFER')
  expect(decide({ ...manager, asked, note: note({}) })).toEqual({
    kind: 'join',
    peers: ['10.0.0.3:6783'],
  })
  expect(codeOf(decide({ ...manager, asked: [answering('10.0.0.2', two)], note: note({}) }))).toBe(
    'FOUNDER_AWAY',
  )
})

function answering(host: string, cluster: string): Asked {
  return { peer: `${host}:6783`, answer: { cluster } }
}

function note(given: Partial<Note>): Note {
  const founding = { cluster: one, founder: '10.0.0.1:6783', nodeId: 'n1' }
  return { id: 'c1', founding, isOwn: false, isMember: true, ...given }
}

function codeOf(next: Next): string {
  return next.kind === 'wait' ? next.fault.code : next.kind
}
