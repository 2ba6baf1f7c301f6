import { expect, test } from 'vitest'
import { hostId, ip } from '../../test/support/values.ts'
import { createMemoryStore } from '../store/memory.ts'
import { clusterKey, hosts } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { resetRecords } from './reset.ts'

/** TEST-NET-1 (RFC 5737): on no machine. */
const elsewhere = '192.0.2.9'
const here = '127.0.0.1'
const self = hostId('self')

async function storeWith(...known: readonly (readonly [string, string])[]): Promise<Store> {
  const store = createMemoryStore()
  await store.commit([{ kind: 'put', key: clusterKey, text: '{"id":"c"}' }])
  for (const [name, address] of known) {
    const host = {
      id: hostId(name),
      nickname: name,
      address: ip(address),
      controlPort: 6783,
      dataPort: 6784,
      instance: 'i',
      version: '0',
    }
    await store.commit([{ kind: 'put', key: hosts.key(host.id), text: hosts.encode(host) }])
  }
  return store
}

async function keysOf(store: Store): Promise<readonly string[]> {
  return (await store.list('/')).records.map(({ key }) => key)
}

test('with others in the cluster, only our own records go', async () => {
  await using store = await storeWith(['self', here], ['other', elsewhere])

  expect(await resetRecords(store, self)).toBe(1)
  expect(await keysOf(store)).toEqual([clusterKey, hosts.key(hostId('other'))])
})

test('the last host takes everything with it', async () => {
  await using store = await storeWith(['self', here])

  expect(await resetRecords(store, self)).toBe(2)
  expect(await keysOf(store)).toEqual([])
})

test('a copy of another machine takes nothing of the original with it', async () => {
  await using store = await storeWith(['self', elsewhere])

  expect(await resetRecords(store, self)).toBe(0)
  expect(await keysOf(store)).toHaveLength(2)
})
