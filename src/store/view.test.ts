import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMemoryStore } from './memory.ts'
import type { MemoryStore } from './memory.ts'
import { clusterKey, encodeCluster, networks } from './schema.ts'
import type { Write } from './store.ts'
import { createView } from './view.ts'
import type { View } from './view.ts'

let store: MemoryStore
let stop: AbortController

beforeEach(() => {
  store = createMemoryStore()
  stop = new AbortController()
})
afterEach(() => stop.abort())

function viewOf(more: { holdMs?: number; expectedCluster?: string } = {}): View {
  return createView(store, { signal: stop.signal, onChange: () => {}, holdMs: 60_000, ...more })
}

function put(key: string, value: unknown): Write {
  return { kind: 'put', key, text: JSON.stringify(value) }
}

function network(id: string, vni: number): Write {
  return put(`/weave/v1/networks/${id}`, { id, vni, subnets: [], multicast: false })
}

function host(id: string): Write {
  return put(`/weave/v1/hosts/${id}`, {
    id,
    nickname: id,
    address: '10.0.0.1',
    controlPort: 6783,
    dataPort: 6784,
    instance: 'x',
    version: '0',
  })
}

function endpoint(path: { network: string; host: string; id: string }): Write {
  return put(`/weave/v1/endpoints/${path.network}/${path.host}/${path.id}`, {
    ...path,
    mac: '02:42:0a:20:00:01',
    addresses: ['10.32.0.1'],
  })
}

function cluster(id: string, epoch?: string): Write {
  return { kind: 'put', key: clusterKey, text: encodeCluster({ id, epoch }) }
}

function networkIds(view: View): readonly string[] {
  return [...view.networks().keys()].toSorted()
}

test('nothing is known before the store has answered, and all of it afterwards', async () => {
  store.cut()
  const view = viewOf()
  await expect.poll(() => view.problem()).toContain('cut off')
  expect(view.isReady()).toBe(false)

  store.mend()
  await store.commit([cluster('c'), network('a', 1), host('h')])
  await view.ready

  await expect.poll(() => networkIds(view)).toEqual(['a'])
  expect(view.cluster()).toBe('c')
  expect(view.connected()).toBe(true)
  expect(view.problem()).toBeUndefined()
})

test('endpoints are found by network and by host, and leave both lists when deleted', async () => {
  const path = { network: 'n', host: 'h', id: 'e' }
  await store.commit([
    endpoint(path),
    endpoint({ ...path, id: 'f' }),
    endpoint({ ...path, host: 'i' }),
  ])
  const view = viewOf()
  await view.ready
  const [{ value: first } = { value: undefined }] = view.endpointsIn('n' as never)
  expect(first).toMatchObject({ id: 'e' })
  expect([...view.endpointsIn('n' as never)]).toHaveLength(3)
  expect(view.endpointsOf('h' as never).size).toBe(2)

  await store.commit([{ kind: 'delete', key: '/weave/v1/endpoints/n/h/e' }])

  await expect.poll(() => view.endpointsOf('h' as never).size).toBe(1)
  expect([...view.endpointsIn('n' as never)]).toHaveLength(2)
})

test('what cannot be read is named and left alone', async () => {
  await store.commit([
    network('a', 1),
    put('/weave/v1/networks/lies', { id: 'other', vni: 2, subnets: [], multicast: false }),
    put('/weave/v1/hosts/h', { id: 'h' }),
    put('/weave/v1/something/else', 1),
    { kind: 'put', key: '/weave/v1/vnis/07', text: 'not JSON' },
  ])
  const view = viewOf()
  await view.ready

  expect(networkIds(view)).toEqual(['a'])
  expect(view.foreignKeys().toSorted()).toEqual([
    '/weave/v1/hosts/h',
    '/weave/v1/networks/lies',
    '/weave/v1/something/else',
    '/weave/v1/vnis/07',
  ])
  await store.commit([host('h'), { kind: 'delete', key: '/weave/v1/vnis/07' }])
  await expect.poll(() => view.foreignKeys()).toHaveLength(2)
})

test('a record that is overwritten with nonsense is held, then forgotten, and stays named', async () => {
  await store.commit([network('a', 1)])
  const view = viewOf({ holdMs: 200 })
  await view.ready

  await store.commit([put('/weave/v1/networks/a', 'nonsense')])

  await expect.poll(() => view.held()).toBe(1)
  expect(networkIds(view)).toEqual(['a'])
  await expect.poll(() => networkIds(view)).toEqual([])
  expect(view.foreignKeys()).toEqual(['/weave/v1/networks/a'])
})

test('what a store has lost is held until it is published again, or the time is up', async () => {
  await store.commit([cluster('c'), network('a', 1), network('b', 2), network('d', 3)])
  const view = viewOf({ holdMs: 300 })
  await view.ready

  store.loseData()
  await expect.poll(() => view.held()).toBe(3)
  expect(view.networks().get('a' as never)).toMatchObject({ held: true, revision: 0n, lease: 0n })
  await store.commit([network('a', 1), network('d', 3)])
  await store.commit([{ kind: 'delete', key: '/weave/v1/networks/d' }])

  await expect.poll(() => networkIds(view)).toEqual(['a', 'b'])
  expect(view.held()).toBe(1)
  await expect.poll(() => networkIds(view)).toEqual(['a'])
  expect(view.held()).toBe(0)
})

test('a store that lost its data has another epoch once somebody publishes again', async () => {
  await store.commit([cluster('c', 'first'), network('a', 1)])
  const view = viewOf()
  expect(view.epoch()).toBeUndefined()
  await view.ready
  expect(view.epoch()).toBe('first')

  store.loseData()
  await expect.poll(() => view.epoch()).toBeUndefined()
  await store.commit([cluster('c', 'second')])

  await expect.poll(() => view.epoch()).toBe('second')
})

test('a definition is read, held when it is lost, and gone when it is deleted', async () => {
  const settings = { ipamDriver: 'weave', ipamOptions: {}, ipam: [], options: {}, labels: {} }
  const flags = { internal: false, attachable: false, ipv4: true, ipv6: false }
  const web = { driver: 'weave', name: 'web', generation: '0'.repeat(32), ...settings, ...flags }
  const write = put('/weave/v1/definitions/weave/web', web)
  await store.commit([cluster('c'), write, put('/weave/v1/definitions/weave/db', web)])
  const view = viewOf()
  await view.ready
  expect([...view.definitions().values()]).toMatchObject([{ value: web }])
  expect(view.foreignKeys()).toEqual(['/weave/v1/definitions/weave/db'])

  store.loseData()
  await expect.poll(() => [...view.definitions().values()]).toMatchObject([{ held: true }])
  await store.commit([write])
  await store.commit([{ kind: 'delete', key: write.key }])

  await expect.poll(() => view.definitions().size).toBe(0)
})

test('a second loss does not shorten the time of what it takes', async () => {
  await store.commit([network('a', 1), network('b', 2)])
  const view = viewOf({ holdMs: 800 })
  await view.ready
  store.loseData()
  await store.commit([network('b', 2)])
  await expect.poll(() => view.held()).toBe(1)
  await pause(400)
  store.loseData()
  await expect.poll(() => view.held()).toBe(2)

  await expect.poll(() => networkIds(view), { interval: 5 }).toEqual(['b'])
})

test('a store of another cluster changes nothing, until it is ours again', async () => {
  await store.commit([cluster('ours'), network('a', 1)])
  const view = viewOf()
  await view.ready

  await store.commit([cluster('theirs'), { kind: 'delete', key: '/weave/v1/networks/a' }])
  await expect.poll(() => view.mismatch()).toContain('belongs to cluster theirs')
  await store.commit([network('foreign', 2)])
  store.loseData()
  await store.commit([cluster('theirs'), network('also-foreign', 2)])
  await pause(50)
  expect(networkIds(view)).toEqual(['a'])

  await store.commit([cluster('ours'), network('b', 3)])

  await expect.poll(() => view.mismatch()).toBeUndefined()
  await expect.poll(() => networkIds(view)).toEqual(['a', 'also-foreign', 'b'])
  expect(view.networks().get('a' as never)).toMatchObject({ held: true })
})

test('a store that is not the expected one is never taken for ready', async () => {
  await store.commit([cluster('theirs'), network('a', 1)])
  const view = viewOf({ expectedCluster: 'ours' })
  await expect.poll(() => view.problem()).toContain('theirs')
  expect(view.isReady()).toBe(false)
  expect(networkIds(view)).toEqual([])
})

test('the cluster that a store names first is home for good, even when the store forgets it', async () => {
  await store.commit([cluster('ours')])
  const view = viewOf()
  await view.ready
  expect(view.home()).toBe('ours')

  await store.commit([{ kind: 'delete', key: clusterKey }])
  await expect.poll(() => view.cluster()).toBeUndefined()
  expect(view.home()).toBe('ours')
})

test('a view ends with its signal', async () => {
  const view = viewOf()
  stop.abort()
  await view.done
  await viewOf().done
})

const names = ['a', 'b', 'c', 'd']
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('put'), name: fc.constantFrom(...names) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('delete'), name: fc.constantFrom(...names) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('lose', 'compact', 'cut', 'mend', 'junk'),
      name: fc.constantFrom(...names),
    }),
  },
)

test('after any history, the view is the store plus what the store lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const end = new AbortController()
      const mine = createMemoryStore()
      const view = createView(mine, { signal: end.signal, onChange: () => {}, holdMs: 60_000 })
      let vni = 0
      for (const { kind, name } of steps) {
        vni += 1
        if (kind === 'put')
          await mine
            .commit([network(name, vni), endpoint({ network: name, host: 'h', id: name })])
            .catch(() => {})
        if (kind === 'junk')
          await mine.commit([put(`/weave/v1/networks/${name}`, 1)]).catch(() => {})
        if (kind === 'delete') {
          await mine
            .commit([
              { kind: 'delete', key: `/weave/v1/networks/${name}` },
              { kind: 'delete', key: `/weave/v1/endpoints/${name}/h/${name}` },
            ])
            .catch(() => {})
        }
        if (kind === 'lose') mine.loseData()
        if (kind === 'compact') mine.compact()
        if (kind === 'cut') mine.cut()
        if (kind === 'mend') mine.mend()
        if (vni % 3 === 0) await new Promise(setImmediate)
      }
      mine.mend()
      await mine.commit([host('last')])
      while (view.hosts().get('last' as never)?.held !== undefined || view.hosts().size === 0) {
        await new Promise(setImmediate)
      }
      const { records, revision } = await mine.list('/weave/v1/')
      const readable = records.filter(({ key, text }) => {
        const id = networks.id(key)
        return id === undefined || networks.decode(text) !== undefined
      })
      const live = [...view.networks(), ...view.hosts(), ...view.endpoints()].filter(
        ([, { held }]) => held !== true,
      )
      expect(view.revision()).toBe(revision)
      expect(new Set(live.map(([, seen]) => seen.revision))).toEqual(
        new Set(readable.map((record) => record.revision)),
      )
      expect(live).toHaveLength(readable.length)
      expect(view.foreignKeys()).toHaveLength(records.length - readable.length)
      const all = view.networks().size + view.hosts().size + view.endpoints().size
      expect(view.held()).toBe(all - live.length)
      const indexed = names.flatMap((name) => [...view.endpointsIn(name as never)])
      expect(new Set(indexed)).toEqual(new Set(view.endpoints().values()))
      expect(view.endpointsOf('h' as never).size).toBe(view.endpoints().size)
      end.abort()
      await view.done
    }),
    { numRuns: 150 },
  )
})

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
