/**
 * How long a router takes to know a large cluster, and what that costs: the view of 10,000 endpoints
 * on a real etcd (`node --expose-gc --import tsx bench/store.ts`).
 */

import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { createEtcdStore } from '../src/store/etcd.ts'
import type { Store, Write } from '../src/store/store.ts'
import { createView } from '../src/store/view.ts'
import { startEtcd } from '../test/support/etcd.ts'

const endpointCount = 10_000
const hostCount = 100
const perCommit = 100

await using etcd = await startEtcd()
await using store = createEtcdStore({ endpoints: [etcd.address], prefix: '' })

const writing = await timed(() => fill(store))
const before = memory()
const stop = new AbortController()
const view = createView(store, { signal: stop.signal, onChange: () => {}, holdMs: 60_000 })
const loading = await timed(() => view.ready)
const after = memory()
const latencies = await changeOneByOne(200)
const idle = await idleCpu(5000)

console.table({
  [`write ${endpointCount} endpoints, ${perCommit} at a time`]: `${writing.toFixed(0)} ms`,
  'load them into a view': `${loading.toFixed(0)} ms`,
  'heap that it takes': `${((after.heap - before.heap) / 2 ** 20).toFixed(1)} MiB`,
  'memory of the process': `${(after.rss / 2 ** 20).toFixed(0)} MiB`,
  'from commit to the view, median': `${quantile(latencies, 0.5).toFixed(1)} ms`,
  'from commit to the view, p99': `${quantile(latencies, 0.99).toFixed(1)} ms`,
  'idle CPU': `${(idle * 100).toFixed(2)} % of a core`,
})
stop.abort()
await view.done

async function fill(target: Store): Promise<void> {
  const writes = Array.from({ length: endpointCount }, (_, index) => endpoint(index))
  for (let start = 0; start < writes.length; start += perCommit) {
    await target.commit(writes.slice(start, start + perCommit))
  }
}

function endpoint(index: number): Write {
  const network = hex(index % 10)
  const host = `host-${index % hostCount}`
  const id = hex(index)
  const mac = `02:42${index.toString(16).padStart(8, '0').replaceAll(/../g, ':$&')}`
  const addresses = [`10.32.${(index >> 8) & 0xff}.${index & 0xff}`]
  const text = JSON.stringify({ id, network, host, mac, addresses })
  return { kind: 'put', key: `/weave/v1/endpoints/${network}/${host}/${id}`, text }
}

/** As long as Docker's IDs are. */
function hex(index: number): string {
  return index.toString(16).padStart(64, '0')
}

async function changeOneByOne(count: number): Promise<readonly number[]> {
  const took: number[] = []
  for (let index = 0; index < count; index += 1) {
    const start = performance.now()
    const outcome = await store.commit([endpoint(index)])
    if (outcome.kind !== 'written') throw new Error('stale')
    while (view.revision() < outcome.revision) await nextTurn()
    took.push(performance.now() - start)
  }
  return took
}

async function idleCpu(ms: number): Promise<number> {
  const start = process.cpuUsage()
  await sleep(ms)
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000 / ms
}

function memory(): { readonly heap: number; readonly rss: number } {
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, rss }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
