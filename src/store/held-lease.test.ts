import { afterEach, beforeEach, expect, test } from 'vitest'
import { holdLease } from './held-lease.ts'
import type { HeldLease } from './held-lease.ts'
import { createMemoryStore } from './memory.ts'
import type { MemoryStore } from './memory.ts'

let store: MemoryStore
let stop: AbortController
let changes: number

beforeEach(() => {
  store = createMemoryStore()
  stop = new AbortController()
  changes = 0
})
afterEach(() => stop.abort())

function hold(): HeldLease {
  return holdLease(store, {
    ttlSeconds: 5,
    signal: stop.signal,
    onChange: () => {
      changes += 1
    },
  })
}

async function granted(lease: HeldLease): Promise<bigint> {
  await expect.poll(lease.current, { timeout: 5000 }).toBeDefined()
  return lease.current() ?? 0n
}

test('a lease that has expired is replaced by another one', async () => {
  const lease = hold()
  const first = await granted(lease)

  store.expire(first)
  await expect.poll(() => changes).toBe(2)

  expect(await granted(lease)).not.toBe(first)
})

test('a lease is waited for while the store is away, and replaced when the store has lost it', async () => {
  store.cut()
  const lease = hold()
  expect(lease.current()).toBeUndefined()
  store.mend()
  const first = await granted(lease)

  store.loseData()
  await expect.poll(() => changes, { timeout: 5000 }).toBe(3)

  expect(await granted(lease)).not.toBe(first)
})

test('giving it up removes what stands under it, and no other is taken', async () => {
  const lease = hold()
  await store.commit([{ kind: 'put', key: '/a', text: '', lease: await granted(lease) }])

  await lease.giveUp()

  expect(await store.read('/a')).toBeUndefined()
  expect(lease.current()).toBeUndefined()
})

test('the end of the program leaves it to its time to live', async () => {
  const lease = hold()
  await store.commit([{ kind: 'put', key: '/a', text: '', lease: await granted(lease) }])

  stop.abort()
  await lease.done

  expect(await store.read('/a')).toBeDefined()
})
