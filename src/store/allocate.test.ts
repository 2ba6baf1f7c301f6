import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Network, NetworkId } from '../model/cluster.ts'
import { isNetworkId } from '../model/cluster.ts'
import { allocateNetwork } from './allocate.ts'
import { createMemoryStore } from './memory.ts'
import { networks, vnis } from './schema.ts'

function wanted(name: string): Omit<Network, 'vni'> {
  return { id: networkId(name), subnets: ['10.32.0.0/24'], multicast: false }
}

function networkId(name: string): NetworkId {
  if (!isNetworkId(name)) throw new Error(`${name} is no network ID`)
  return name
}

test('a network gets a number of its own, recorded both ways', async () => {
  const store = createMemoryStore()

  const network = await allocateNetwork(store, wanted('a'))

  const record = await store.read(networks.key(network.id))
  const owner = await store.read(vnis.key(network.vni))
  expect(networks.decode(record?.text ?? '')).toEqual(network)
  expect(vnis.decode(owner?.text ?? '')).toBe('a')
})

test('hosts that make the same network at the same time agree on one', async () => {
  const store = createMemoryStore()

  const made = await Promise.all(
    Array.from({ length: 5 }, () => allocateNetwork(store, wanted('a'))),
  )

  expect(new Set(made.map(({ vni }) => vni)).size).toBe(1)
  expect((await store.list(vnis.prefix)).records).toHaveLength(1)
})

test('a number that another network has is passed over', async () => {
  const first = await allocateNetwork(createMemoryStore(), wanted('a'))
  const store = createMemoryStore()
  const key = vnis.key(first.vni)
  await store.commit([{ kind: 'put', key, text: vnis.encode(networkId('other')) }])

  const second = await allocateNetwork(store, wanted('a'))

  expect(second.vni).not.toBe(first.vni)
  expect(vnis.decode((await store.read(key))?.text ?? '')).toBe('other')
})

test('a record that cannot be read is neither used nor overwritten', async () => {
  const store = createMemoryStore()
  await store.commit([{ kind: 'put', key: networks.key(networkId('a')), text: 'nonsense' }])

  const allocation = allocateNetwork(store, wanted('a'))

  await expect(allocation).rejects.toMatchObject({ code: 'STORE_RECORD_UNREADABLE' })
})

test('no two networks ever share a number', async () => {
  const name = fc.stringMatching(/^[a-z0-9]{1,12}$/)
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(name, { maxLength: 40 }), async (names) => {
      const store = createMemoryStore()
      const made = await Promise.all(names.map((one) => allocateNetwork(store, wanted(one))))
      expect(new Set(made.map(({ vni }) => vni)).size).toBe(names.length)
    }),
    { numRuns: 30 },
  )
})
