/**
 * A store in memory: for tests that need one, and for nothing else.
 *
 * It keeps a history, so that a watch behaves as on etcd: cut off, compacted and emptied under it.
 * Leases run on real time; one that is being kept does not run out.
 */

import { storeLeaseGone, storeUnreachable } from '../model/faults.ts'
import type { Change, LeaseId, Notice, Revision, Store, StoreRecord, Write } from './store.ts'
import { checkWrites } from './writes.ts'

export interface MemoryStore extends Store {
  /** From now on every call fails and every watch is disconnected. */
  readonly cut: () => void
  readonly mend: () => void
  /** Forgets the history, not the records. */
  readonly compact: () => void
  /** All records and leases are gone, and revisions begin anew. */
  readonly loseData: () => void
  readonly expire: (lease: LeaseId) => void
}

interface Epoch {
  readonly records: Map<string, StoreRecord>
  readonly history: { readonly revision: Revision; readonly changes: readonly Change[] }[]
  readonly leases: Map<LeaseId, Lease>
  revision: Revision
  compacted: Revision
}

interface Lease {
  readonly ttlMs: number
  timer: NodeJS.Timeout | undefined
}

const endpoints = ['memory']
const outage = 'cut off by the test'

interface World {
  epoch: Epoch
  isCut: boolean
  lastLease: LeaseId
  readonly bell: Bell
}

export function createMemoryStore(): MemoryStore {
  const world: World = {
    epoch: createEpoch(),
    isCut: false,
    lastLease: 0n,
    bell: createBell(),
  }
  return { ...createCalls(world), ...createLeases(world), ...createControls(world) }
}

function createCalls(world: World): Pick<Store, 'read' | 'list' | 'watch' | 'commit' | 'health'> {
  return {
    read: async (key) => reach(world).records.get(key),
    list: async (prefix) => snapshot(reach(world), prefix),
    watch: (prefix, signal) => follow(world, prefix, signal),
    async commit(writes) {
      checkWrites(writes)
      const { records, leases } = reach(world)
      const isStale = writes.some(
        ({ key, expected }) =>
          expected !== undefined && (records.get(key)?.revision ?? 0n) !== expected,
      )
      if (isStale) return { kind: 'stale' }
      const isLate = writes.some((one) => one.kind === 'put' && !hasLease(leases, one.lease))
      if (isLate) throw storeLeaseGone()
      write(world, writes)
      return { kind: 'written', revision: world.epoch.revision }
    },
    health: async () => ({ endpoints, ...(world.isCut ? { problem: outage } : {}) }),
  }
}

function createLeases(world: World): Pick<Store, 'grantLease' | 'keepLease' | 'revokeLease'> {
  function arm(id: LeaseId): void {
    const lease = world.epoch.leases.get(id)
    if (lease === undefined) return
    lease.timer = setTimeout(() => expire(world, id), lease.ttlMs).unref()
  }

  return {
    async grantLease(ttlSeconds) {
      const { leases } = reach(world)
      world.lastLease += 1n
      leases.set(world.lastLease, { ttlMs: ttlSeconds * 1000, timer: undefined })
      arm(world.lastLease)
      return world.lastLease
    },
    async keepLease(lease, signal) {
      while (!signal.aborted) {
        const kept = world.epoch.leases.get(lease)
        if (!world.isCut && kept === undefined) return 'expired'
        clearTimeout(kept?.timer)
        await world.bell.wait(signal)
      }
      arm(lease)
      return 'aborted'
    },
    async revokeLease(lease) {
      reach(world)
      expire(world, lease)
    },
  }
}

function createControls(world: World): Omit<MemoryStore, Exclude<keyof Store, symbol>> {
  const { bell } = world
  return {
    cut() {
      world.isCut = true
      bell.ring()
    },
    mend() {
      world.isCut = false
      bell.ring()
    },
    compact() {
      world.epoch.history.length = 0
      world.epoch.compacted = world.epoch.revision
    },
    loseData() {
      disarm(world.epoch)
      world.epoch = createEpoch()
      bell.ring()
    },
    expire: (lease) => expire(world, lease),
    async [Symbol.asyncDispose]() {
      disarm(world.epoch)
    },
  }
}

function reach({ isCut, epoch }: World): Epoch {
  if (isCut) throw storeUnreachable(endpoints, outage)
  return epoch
}

function expire(world: World, lease: LeaseId): void {
  const { leases, records } = world.epoch
  clearTimeout(leases.get(lease)?.timer)
  if (!leases.delete(lease)) return
  const under = [...records.values()].filter((record) => record.lease === lease)
  write(
    world,
    under.map(({ key }) => ({ kind: 'delete', key })),
  )
}

function disarm({ leases }: Epoch): void {
  for (const { timer } of leases.values()) clearTimeout(timer)
}

function createEpoch(): Epoch {
  return { records: new Map(), history: [], leases: new Map(), revision: 1n, compacted: 0n }
}

function hasLease(leases: Epoch['leases'], lease: LeaseId | undefined): boolean {
  return lease === undefined || lease === 0n || leases.has(lease)
}

function write({ epoch, bell }: World, writes: readonly Write[]): void {
  const revision = epoch.revision + 1n
  const changes = writes.flatMap((one): Change[] => {
    if (one.kind === 'delete') {
      return epoch.records.delete(one.key) ? [{ kind: 'delete', key: one.key, revision }] : []
    }
    const { key, text, lease = 0n } = one
    const record = { key, text, revision, lease }
    epoch.records.set(key, record)
    return [{ kind: 'put', record }]
  })
  bell.ring()
  if (changes.length === 0) return
  epoch.revision = revision
  epoch.history.push({ revision, changes })
}

function snapshot(
  { records, revision }: Epoch,
  prefix: string,
): {
  readonly records: readonly StoreRecord[]
  readonly revision: Revision
} {
  const found = [...records.values()].filter(({ key }) => key.startsWith(prefix))
  return { records: found.toSorted((a, b) => (a.key < b.key ? -1 : 1)), revision }
}

async function* follow(world: World, prefix: string, signal: AbortSignal): AsyncGenerator<Notice> {
  const { bell } = world
  let known: Epoch | undefined
  let next = 0n
  let connected: boolean | undefined
  while (!signal.aborted) {
    const current = world.epoch
    if (world.isCut) {
      if (connected !== false) yield { kind: 'disconnected', reason: outage }
      connected = false
      if (isAway(world)) await bell.wait(signal)
      continue
    }
    if (connected !== true) yield { kind: 'connected' }
    connected = true
    if (known !== current || next <= current.compacted) {
      known = current
      next = current.revision + 1n
      yield { kind: 'reset', snapshot: snapshot(current, prefix) }
      continue
    }
    const entry = current.history.find(({ revision }) => revision >= next)
    if (entry === undefined) {
      await bell.wait(signal)
      continue
    }
    next = entry.revision + 1n
    const changes = entry.changes.filter((change) => keyOf(change).startsWith(prefix))
    if (changes.length > 0) yield { kind: 'changes', changes, revision: entry.revision }
  }
}

/** Asked again after a pause: the compiler would take the first answer for good. */
function isAway(world: World): boolean {
  return world.isCut
}

function keyOf(change: Change): string {
  return change.kind === 'put' ? change.record.key : change.key
}

interface Bell {
  readonly ring: () => void
  readonly wait: (signal: AbortSignal) => Promise<void>
}

/** Nobody may do anything asynchronous between looking and waiting, or a ring is missed. */
function createBell(): Bell {
  const waiting = new Set<() => void>()
  return {
    ring() {
      for (const wake of waiting) wake()
    },
    wait: (signal) =>
      new Promise((resolve) => {
        function wake(): void {
          waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        waiting.add(wake)
        signal.addEventListener('abort', wake, { once: true })
        if (signal.aborted) wake()
      }),
  }
}
