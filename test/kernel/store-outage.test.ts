/** The store on a real etcd, through everything that can happen to it: nothing lost, nothing twice. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEtcdStore } from '../../src/store/etcd.ts'
import type { Store, Write } from '../../src/store/store.ts'
import { freePort, startEtcd } from '../support/etcd.ts'
import type { TestEtcd } from '../support/etcd.ts'
import { createProxy } from '../support/proxy.ts'
import type { Proxy } from '../support/proxy.ts'
import { watchInBackground } from '../support/watching.ts'

const root = '/t/'
const patient = { timeout: 20_000, interval: 50 }

let etcd: TestEtcd
let proxy: Proxy
/** Not through the proxy. */
let direct: Store
/** Through the proxy. */
let store: Store

beforeEach(async () => {
  etcd = await startEtcd()
  proxy = await createProxy(etcd.address)
  direct = createEtcdStore({ endpoints: [etcd.address], prefix: '' })
  store = createEtcdStore({ endpoints: [proxy.address], prefix: '', timeoutMs: 1500 })
})

afterEach(async () => {
  await store[Symbol.asyncDispose]()
  await direct[Symbol.asyncDispose]()
  await proxy[Symbol.asyncDispose]()
  await etcd[Symbol.asyncDispose]()
})

function put(name: string, text: string): Write {
  return { kind: 'put', key: root + name, text }
}

async function writeMany(count: number, text: string): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `${text}${index}`)
  for (let start = 0; start < count; start += 50) {
    await Promise.all(
      names.slice(start, start + 50).map((name) => direct.commit([put(name, text)])),
    )
  }
  return names.map((name) => root + name)
}

test('connections that break again and again in the middle of a long catch-up lose nothing', async () => {
  await direct.commit([put('first', '')])
  await using watching = watchInBackground(store, root)
  await expect.poll(() => watching.count('connected'), patient).toBe(1)

  proxy.cut()
  const keys = await writeMany(4000, 'x')
  const before = proxy.connections()
  proxy.dropAfter(500, 2000, 60_000, 5000, 70_000, 1000)
  proxy.mend()
  await expect.poll(() => watching.changes().length, patient).toBe(4000)

  const seen = watching.changes().map((change) => (change.kind === 'put' ? change.record.key : ''))
  expect(new Set(seen)).toEqual(new Set(keys))
  expect(watching.count('reset')).toBe(1)
  expect(proxy.connections() - before).toBeGreaterThan(4)
}, 60_000)

test('changes made while etcd was killed and started again all arrive, once', async () => {
  await direct.commit([put('first', '')])
  await using watching = watchInBackground(store, root)
  await expect.poll(() => watching.count('connected'), patient).toBe(1)

  await writeMany(100, 'a')
  await etcd.kill()
  await expect.poll(() => watching.count('disconnected'), patient).toBe(1)
  await etcd.start()
  await expect.poll(() => direct.health().then(({ problem }) => problem), patient).toBeUndefined()
  await writeMany(100, 'b')

  await expect.poll(() => watching.changes().length, patient).toBe(200)
  expect(watching.count('reset')).toBe(1)
  expect(watching.count('connected')).toBe(2)
}, 60_000)

test('a history that was compacted meanwhile is replaced by a whole picture', async () => {
  await direct.commit([put('gone', ''), put('stays', '')])
  await using watching = watchInBackground(store, root)
  await expect.poll(() => watching.count('connected'), patient).toBe(1)

  proxy.cut()
  await direct.commit([{ kind: 'delete', key: `${root}gone` }])
  await writeMany(20, 'x')
  const { revision } = await direct.list(root)
  await etcd.ctl('compact', String(revision))
  proxy.mend()

  await expect.poll(() => watching.count('reset'), patient).toBe(2)
  expect(watching.picture().size).toBe(21)
  await direct.commit([put('later', '')])
  await expect.poll(() => watching.picture().has(`${root}later`), patient).toBe(true)
}, 60_000)

test.each([
  { name: 'with fewer revisions than before', writes: 1 },
  { name: 'that has passed ours meanwhile', writes: 300 },
])(
  'a store that lost its data, $name, is noticed',
  async ({ writes }) => {
    await writeMany(50, 'old')
    await using watching = watchInBackground(store, root)
    await expect.poll(() => watching.count('connected'), patient).toBe(1)

    proxy.cut()
    await etcd.stop()
    await etcd.wipe()
    await etcd.start()
    await expect.poll(() => direct.health().then(({ problem }) => problem), patient).toBeUndefined()
    await writeMany(writes, 'new')
    proxy.mend()

    await expect.poll(() => watching.count('reset'), patient).toBe(2)
    expect(watching.picture().size).toBe(writes)
    await direct.commit([put('later', '')])
    await expect.poll(() => watching.picture().has(`${root}later`), patient).toBe(true)
  },
  60_000,
)

test('an emptied store that nothing was known of is not mistaken for a quiet one', async () => {
  await using watching = watchInBackground(store, root)
  await expect.poll(() => watching.count('connected'), patient).toBe(1)
  proxy.cut()
  await etcd.stop()
  await etcd.wipe()
  await etcd.start()
  await expect.poll(() => direct.health().then(({ problem }) => problem), patient).toBeUndefined()
  await writeMany(5, 'new')
  proxy.mend()

  await expect.poll(() => watching.picture().size, patient).toBe(5)
}, 60_000)

test.each(['freeze', 'swallow'] as const)(
  'a connection that stands but says nothing (%s) ends calls at their deadline',
  async (fault) => {
    await direct.commit([put('first', '')])
    await using watching = watchInBackground(store, root)
    await expect.poll(() => watching.count('connected'), patient).toBe(1)

    proxy[fault]()
    await expect(store.read(`${root}first`)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
    await direct.commit([put('meanwhile', '')])
    await expect.poll(() => watching.count('disconnected'), patient).toBe(1)

    if (fault === 'swallow') proxy.drop()
    proxy.mend()
    await expect.poll(() => watching.picture().has(`${root}meanwhile`), patient).toBe(true)
    expect(watching.changes()).toHaveLength(1)
  },
  60_000,
)

test('an etcd that is suspended and wakes up loses nothing', async () => {
  await direct.commit([put('first', '')])
  await using watching = watchInBackground(store, root)
  await expect.poll(() => watching.count('connected'), patient).toBe(1)

  etcd.freeze()
  await expect(store.commit([put('x', '')])).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
  await expect.poll(() => watching.count('disconnected'), patient).toBe(1)
  etcd.thaw()
  await expect.poll(() => direct.health().then(({ problem }) => problem), patient).toBeUndefined()
  await writeMany(50, 'a')

  await expect.poll(() => watching.picture().has(`${root}a49`), patient).toBe(true)
  const keys = watching.changes().map((change) => (change.kind === 'put' ? change.record.key : ''))
  expect(keys).toHaveLength(new Set(keys).size)
}, 60_000)

test('a reader that is slow for a while still gets every change', async () => {
  const stop = new AbortController()
  const seen: string[] = []
  for await (const notice of store.watch(root, stop.signal)) {
    if (notice.kind === 'connected') await writeMany(3000, 'y'.repeat(500))
    if (notice.kind !== 'changes') continue
    if (seen.length === 0) await sleep(1000)
    for (const change of notice.changes) if (change.kind === 'put') seen.push(change.record.key)
    if (seen.length >= 3000) stop.abort()
  }
  expect(new Set(seen).size).toBe(3000)
  expect(seen).toHaveLength(3000)
}, 60_000)

test('a dead endpoint is passed over, and a dying one is left', async () => {
  const dead = `127.0.0.1:${await freePort()}`
  const several = createEtcdStore({
    endpoints: [dead, proxy.address, `localhost:${etcd.address.split(':')[1] ?? ''}`],
    prefix: '',
    timeoutMs: 2000,
  })
  await several.commit([put('a', '1')])
  proxy.swallow()
  await several.commit([put('a', '2')]).catch(() => {})
  await several.commit([put('a', '3')])

  expect(await several.read(`${root}a`)).toMatchObject({ text: '3' })
  await several[Symbol.asyncDispose]()
}, 60_000)

test('where nobody answers, the fault names every endpoint and why', async () => {
  const [a, b] = [`127.0.0.1:${await freePort()}`, `no-such-host.invalid:2379`]
  const nowhere = createEtcdStore({ endpoints: [a, b], prefix: '', timeoutMs: 2000 })

  const reading = nowhere.read('/x')
  await expect(reading).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
  await expect(reading).rejects.toThrow(/ECONNREFUSED/)
  await expect(reading).rejects.toThrow(/no-such-host/)
  expect((await nowhere.health()).problem).toContain('ECONNREFUSED')
  await nowhere[Symbol.asyncDispose]()
}, 60_000)

test('a lease lives through an outage that is shorter than it, and dies in a longer one', async () => {
  const stop = new AbortController()
  const lease = await direct.grantLease(5)
  await direct.commit([{ kind: 'put', key: `${root}leased`, text: '', lease }])
  const kept = store.keepLease(lease, stop.signal)
  await sleep(500)

  proxy.cut()
  await sleep(2500)
  proxy.mend()
  await sleep(4000)
  expect(await direct.read(`${root}leased`)).toBeDefined()

  proxy.cut()
  await expect.poll(() => direct.read(`${root}leased`), patient).toBeUndefined()
  proxy.mend()
  expect(await kept).toBe('expired')
}, 60_000)
