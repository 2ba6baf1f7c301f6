import { describe, expect, test } from 'vitest'
import { createMemoryStore } from './memory.ts'
import { testStore } from './store.contract.ts'
import type { Notice } from './store.ts'

describe('the store in memory', () => {
  testStore(async () => createMemoryStore())
})

test('a watch that is cut off goes on where it was; one whose history is gone starts anew', async () => {
  const store = createMemoryStore()
  const stop = new AbortController()
  const kinds: Notice['kind'][] = []

  for await (const { kind } of store.watch('/', stop.signal)) {
    kinds.push(kind)
    if (kinds.length === 2) store.cut()
    if (kinds.length === 3) {
      store.mend()
      await store.commit([{ kind: 'put', key: '/a', text: '' }])
    }
    if (kinds.length === 5) store.loseData()
    if (kinds.length === 6) stop.abort()
  }

  expect(kinds).toEqual(['connected', 'reset', 'disconnected', 'connected', 'changes', 'reset'])
})
