/**
 * What every store must do. The one in memory and the one on etcd run the same tests, so that what
 * other modules' tests see of the first is true of the second.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Change, Notice, Store, Write } from './store.ts'

const root = '/contract/'
const never = new AbortController().signal

export function testStore(create: () => Promise<Store>): void {
  let store: Store
  let turn = 0
  /** A prefix that no other test of this run has used. */
  function place(): string {
    turn += 1
    return `${root}${turn}/`
  }

  beforeAll(async () => {
    store = await create()
  })
  afterAll(() => store[Symbol.asyncDispose]())

  testWrites(() => store, place)
  testLists(() => store, place)
  testWatches(() => store, place)
  testLeases(() => store, place)
}

type Get = () => Store
type Place = () => string

function put(key: string, text: string, more: { expected?: bigint; lease?: bigint } = {}): Write {
  return { kind: 'put', key, text, ...more }
}

function testWrites(store: Get, place: Place): void {
  test('what was written is read back, with the revision of its writing', async () => {
    const key = `${place()}a`
    expect(await store().read(key)).toBeUndefined()

    const outcome = await store().commit([put(key, 'één')])

    const record = await store().read(key)
    expect(outcome).toEqual({ kind: 'written', revision: record?.revision })
    expect(record).toMatchObject({ key, text: 'één', lease: 0n })
  })

  test('of two who make the same record, the first wins', async () => {
    const key = `${place()}a`
    await store().commit([put(key, 'first', { expected: 0n })])

    expect(await store().commit([put(key, 'second', { expected: 0n })])).toEqual({ kind: 'stale' })
    expect(await store().read(key)).toMatchObject({ text: 'first' })
  })

  test('one stale write holds back all others of its transaction', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => `/contract/${name}${place().slice(-4)}`)
    await store().commit([put(a ?? '', '1')])
    const writes: Write[] = [put(b ?? '', '1'), { kind: 'delete', key: a ?? '', expected: 1n }]

    expect(await store().commit([...writes, put(c ?? '', '1')])).toEqual({ kind: 'stale' })
    expect(await store().read(a ?? '')).toBeDefined()
    expect(await store().read(b ?? '')).toBeUndefined()
  })

  test('a record is replaced and deleted by who knows its revision', async () => {
    const key = `${place()}a`
    await store().commit([put(key, '1')])
    const first = (await store().read(key))?.revision ?? 0n
    await store().commit([put(key, '2', { expected: first })])

    const stale: Write = { kind: 'delete', key, expected: first }
    expect(await store().commit([stale])).toEqual({ kind: 'stale' })
    const second = (await store().read(key))?.revision ?? 0n
    const fresh: Write = { kind: 'delete', key, expected: second }
    expect(await store().commit([fresh])).toMatchObject({ kind: 'written' })
    expect(await store().read(key)).toBeUndefined()
  })

  test('deleting what is not there is no error', async () => {
    const outcome = await store().commit([{ kind: 'delete', key: `${place()}a` }])
    expect(outcome).toMatchObject({ kind: 'written' })
  })

  test('two writes of one key, or more than a hundred, are a mistake of the caller', async () => {
    const under = place()
    const many = Array.from({ length: 101 }, (_, index) => put(`${under}${index}`, ''))

    await expect(store().commit(many)).rejects.toThrow('101 writes')
    await expect(store().commit([put(under, '1'), put(under, '2')])).rejects.toThrow('one key')
  })

  test('a store that answers has no problem', async () => {
    expect((await store().health()).problem).toBeUndefined()
  })
}

function testLists(store: Get, place: Place): void {
  test('a list holds what begins with the prefix, sorted, and nothing else', async () => {
    const under = place()
    await store().commit([
      put(`${under}b`, '2'),
      put(`${under}a`, '1'),
      put(`${under.slice(0, -1)}0`, ''),
    ])

    const { records, revision } = await store().list(under)

    expect(records.map(({ key, text }) => [key, text])).toEqual([
      [`${under}a`, '1'],
      [`${under}b`, '2'],
    ])
    expect(revision).toBeGreaterThanOrEqual(records[0]?.revision ?? 0n)
  })

  test('a list of thousands is complete', async () => {
    const under = place()
    const keys = Array.from(
      { length: 2300 },
      (_, index) => `${under}${String(index).padStart(5, '0')}`,
    )
    for (let start = 0; start < keys.length; start += 100) {
      await store().commit(keys.slice(start, start + 100).map((key) => put(key, 'x')))
    }

    expect((await store().list(under)).records.map(({ key }) => key)).toEqual(keys)
  })
}

function testWatches(store: Get, place: Place): void {
  test('a watch begins with everything, goes on with each change, and ends with its signal', async () => {
    const under = place()
    const stop = new AbortController()
    await store().commit([put(`${under}a`, '1')])
    const seen: Notice[] = []

    for await (const notice of store().watch(under, stop.signal)) {
      if (notice.kind === 'connected') continue
      seen.push(notice)
      if (seen.length === 1) await changeTwice(store(), under)
      if (changesIn(seen).length >= 4) stop.abort()
    }

    expect(seen[0]).toMatchObject({ kind: 'reset', snapshot: { records: [{ key: `${under}a` }] } })
    expect(changesIn(seen)).toMatchObject([
      { kind: 'put', record: { key: `${under}b`, text: '1' } },
      { kind: 'put', record: { key: `${under}c`, text: '1' } },
      { kind: 'delete', key: `${under}a` },
      { kind: 'put', record: { key: `${under}b`, text: '2' } },
    ])
  })

  test('a transaction arrives in one piece', async () => {
    const under = place()
    const stop = new AbortController()
    const keys = Array.from({ length: 100 }, (_, index) => `${under}${index}`)
    const sizes: number[] = []

    for await (const notice of store().watch(under, stop.signal)) {
      if (notice.kind === 'reset')
        await store().commit(keys.map((key) => put(key, 'x'.repeat(9000))))
      if (notice.kind !== 'changes') continue
      sizes.push(notice.changes.length)
      stop.abort()
    }

    expect(sizes).toEqual([100])
  })
}

async function changeTwice(store: Store, under: string): Promise<void> {
  await store.commit([
    put(`${under}b`, '1'),
    put(`${under}c`, '1'),
    { kind: 'delete', key: `${under}a` },
  ])
  await store.commit([put(`${under.slice(0, -1)}0`, 'elsewhere')])
  await store.commit([put(`${under}b`, '2')])
}

function changesIn(notices: readonly Notice[]): readonly Change[] {
  return notices.flatMap((notice) => (notice.kind === 'changes' ? notice.changes : []))
}

function testLeases(store: Get, place: Place): void {
  test('what stands under a lease goes with it', async () => {
    const key = `${place()}a`
    const lease = await store().grantLease(60)
    await store().commit([put(key, '1', { lease })])
    expect(await store().read(key)).toMatchObject({ lease })

    await store().revokeLease(lease)

    expect(await store().read(key)).toBeUndefined()
    await expect(store().revokeLease(lease)).resolves.toBeUndefined()
  })

  test('nothing can be written under a lease that is gone, and keeping it says so', async () => {
    const lease = await store().grantLease(60)
    await store().revokeLease(lease)

    const late = store().commit([put(`${place()}a`, '1', { lease })])
    await expect(late).rejects.toMatchObject({ code: 'STORE_LEASE_GONE' })
    expect(await store().keepLease(lease, never)).toBe('expired')
  })

  test(
    'a lease lives as long as it is kept, and its time to live afterwards',
    { timeout: 20_000 },
    async () => {
      const key = `${place()}a`
      const stop = new AbortController()
      const lease = await store().grantLease(2)
      await store().commit([put(key, '1', { lease })])
      const kept = store().keepLease(lease, stop.signal)

      await pause(3000)
      expect(await store().read(key)).toBeDefined()
      stop.abort()
      expect(await kept).toBe('aborted')
      await expect.poll(() => store().read(key), { timeout: 9000 }).toBeUndefined()
    },
  )

  test(
    'a lease that is revoked while it is kept counts as expired',
    { timeout: 20_000 },
    async () => {
      const lease = await store().grantLease(2)
      const kept = store().keepLease(lease, never)
      await store().revokeLease(lease)
      expect(await kept).toBe('expired')
    },
  )
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
