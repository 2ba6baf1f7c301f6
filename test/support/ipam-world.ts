/**
 * Several hosts' address books around one store, without sockets and disks, for property tests: hosts
 * die at any line, calls fail before or after they have taken effect, or take effect much later.
 */

import { setMaxListeners } from 'node:events'
import { createBook } from '../../src/ipam/book.ts'
import type { Desk, IpamPeers } from '../../src/ipam/desk.ts'
import { createIpam } from '../../src/ipam/ipam.ts'
import type { Ipam } from '../../src/ipam/ipam.ts'
import { decodeLedger } from '../../src/ipam/ledger-text.ts'
import { usedIn } from '../../src/ipam/ledger.ts'
import { tend } from '../../src/ipam/tend.ts'
import type { IpAddress } from '../../src/model/address.ts'
import { isHostId } from '../../src/model/cluster.ts'
import type { HostId } from '../../src/model/cluster.ts'
import { storeUnreachable } from '../../src/model/faults.ts'
import type { Pool, PoolId } from '../../src/model/pool.ts'
import { parsePrefix } from '../../src/model/prefix.ts'
import type { Prefix } from '../../src/model/prefix.ts'
import { createTurns } from '../../src/reconcile/turns.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { MemoryStore } from '../../src/store/memory.ts'
import { hosts as hostRecords } from '../../src/store/schema.ts'
import type { Store, Write, WriteOutcome } from '../../src/store/store.ts'
import { createView } from '../../src/store/view.ts'

export interface WorldHost {
  readonly id: HostId
  readonly ipam: () => Ipam
  readonly tend: () => Promise<readonly unknown[]>
  /** The process ends at whatever line it is, and another one begins with what is on the disk. */
  readonly crash: () => Promise<void>
  /** What the book says is in use. */
  readonly used: (pool: PoolId) => readonly IpAddress[]
  readonly lifeSignal: () => AbortSignal
  /** Whether it reaches the store, and the other hosts. */
  linked: boolean
}

export interface World {
  readonly hosts: readonly WorldHost[]
  readonly store: MemoryStore
  /** Milliseconds; moved by the test. */
  clock: number
  /** How often, from 0 to 1, a call goes wrong in one way or another. */
  trouble: number
  /** Of the same network; none unless a test says so. */
  siblings: (pool: Pool) => readonly Pool[]
  /** Lets what was sent long ago arrive. */
  readonly deliverLate: () => Promise<void>
  readonly end: () => void
}

export const restMs = 1000

export async function createWorld(count: number, random: () => number): Promise<World> {
  const store = createMemoryStore()
  const ending = new AbortController()
  setMaxListeners(0, ending.signal)
  const late: Write[][] = []
  const world: World = {
    hosts: [],
    store,
    clock: 1_000_000,
    trouble: 0,
    siblings: () => [],
    async deliverLate() {
      for (const writes of late.splice(0)) await store.commit(writes).catch(() => {})
    },
    end: () => ending.abort(),
  }
  const shared: Shared = { world, late, random, signal: ending.signal }
  for (let index = 0; index < count; index += 1) {
    const id = hostId(`host${index + 1}`)
    await store.commit([{ kind: 'put', key: hostRecords.key(id), text: hostText(id, index) }])
    Object.assign(world, { hosts: [...world.hosts, await createHost(id, shared)] })
  }
  return world
}

interface Shared {
  readonly world: World
  readonly late: Write[][]
  readonly random: () => number
  readonly signal: AbortSignal
}

interface Life {
  /** Who waits for this process hears that it is gone. */
  readonly end: AbortController
}

async function createHost(id: HostId, shared: Shared): Promise<WorldHost> {
  const disk = new Map<PoolId, string>()
  let life = newLife()
  let desk: Desk | undefined
  async function begin(): Promise<void> {
    life = newLife()
    desk = await createDesk(host, { life, disk, shared })
  }
  function current(): Desk {
    if (desk === undefined) throw new Error(`${id} is not there`)
    return desk
  }
  const host: WorldHost = {
    id,
    linked: true,
    lifeSignal: () => life.end.signal,
    ipam: () => createIpam(current()),
    tend: () => tend(current()),
    async crash() {
      life.end.abort()
      await begin()
    },
    used: (pool) => {
      const ledger = current().book.find(pool)
      return ledger === undefined ? [] : usedIn(ledger).map(({ address }) => address)
    },
  }
  await begin()
  return host
}

interface Begin {
  readonly life: Life
  readonly disk: Map<PoolId, string>
  readonly shared: Shared
}

async function createDesk(host: WorldHost, { life, disk, shared }: Begin): Promise<Desk> {
  const { world, signal, random } = shared
  const view = createView(world.store, { signal, onChange: () => {}, holdMs: 60_000 })
  await view.ready
  const stored = [...disk.values()].map((text) => {
    const ledger = decodeLedger(text)
    if (ledger === undefined) throw new Error(`not a ledger: ${text}`)
    return ledger
  })
  return {
    self: host.id,
    nickname: host.id,
    store: troubledStore(host, life, shared),
    view,
    book: createBook(stored, diskOf(disk, life)),
    peers: peersOf(host, life, shared),
    turns: createTurns(),
    usedHere: () => [],
    bury: async () => false,
    siblings: (pool) => shared.world.siblings(pool),
    usage: () => 'some are used',
    now: () => ({ nowMs: world.clock, restMs }),
    random,
    warn: (text) => {
      throw new Error(text)
    },
    choice: (family) =>
      family === 4
        ? { from: prefix('10.32.0.0/16'), length: 24 }
        : { from: prefix('fd00::/48'), length: 64 },
    routes: () => [],
    borrowing: new Map(),
  }
}

/** What a dead process would have done next does not happen. */
function never<T>(): Promise<T> {
  return new Promise(() => {})
}

function diskOf(disk: Map<PoolId, string>, life: Life): Parameters<typeof createBook>[1] {
  return {
    async save(id, text) {
      await tick()
      if (life.end.signal.aborted) return never()
      disk.set(id, text)
      await tick()
      return life.end.signal.aborted ? never() : undefined
    },
    async remove(id) {
      await tick()
      if (life.end.signal.aborted) return never()
      disk.delete(id)
    },
  }
}

function troubledStore(host: WorldHost, life: Life, shared: Shared): Store {
  const { world, late, random } = shared
  const { store } = world

  async function reach<T>(work: () => Promise<T>): Promise<T> {
    await tick()
    if (life.end.signal.aborted) return never()
    if (!host.linked || random() < world.trouble / 2) throw storeUnreachable(['memory'], 'trouble')
    const result = await work()
    await tick()
    if (life.end.signal.aborted) return never()
    if (random() < world.trouble / 2) throw storeUnreachable(['memory'], 'trouble afterwards')
    return result
  }

  async function commit(writes: readonly Write[]): Promise<WriteOutcome> {
    if (random() < world.trouble / 4) {
      late.push([...writes])
      throw storeUnreachable(['memory'], 'it is on its way for long')
    }
    return store.commit(writes)
  }

  return {
    ...store,
    read: (key) => reach(() => store.read(key)),
    list: (key) => reach(() => store.list(key)),
    commit: (writes) => reach(() => commit(writes)),
  }
}

function peersOf(host: WorldHost, life: Life, { world, random }: Shared): IpamPeers {
  async function ask<T>(to: HostId, work: (ipam: Ipam) => T | Promise<T>): Promise<T> {
    await tick()
    if (life.end.signal.aborted) return never()
    const other = world.hosts.find(({ id }) => id === to)
    if (other === undefined || !other.linked || !host.linked || random() < world.trouble / 2) {
      throw new Error(`${to} does not answer`)
    }
    const reply = await Promise.race([work(other.ipam()), death<T>(other.lifeSignal())])
    await tick()
    if (life.end.signal.aborted) return never()
    if (random() < world.trouble / 2) throw new Error(`the answer of ${to} is lost`)
    return reply
  }
  return {
    help: (to, request) => ask(to, (ipam) => ipam.help(request)),
    forget: (to, gone) => ask(to, (ipam) => ipam.forget(gone)),
    holds: (to, question) => ask(to, (ipam) => ipam.holds({ ...question, lender: host.id })),
  }
}

function death<T>(signal: AbortSignal): Promise<T> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('it died')), { once: true })
  })
}

function newLife(): Life {
  const end = new AbortController()
  setMaxListeners(0, end.signal)
  return { end }
}

function tick(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function hostText(id: HostId, index: number): string {
  return JSON.stringify({
    id,
    nickname: id,
    address: `10.99.0.${index + 1}`,
    controlPort: 6783,
    dataPort: 6784,
    instance: 'x',
    version: '0',
  })
}

function hostId(text: string): HostId {
  if (!isHostId(text)) throw new Error(text)
  return text
}

export function prefix(text: string): Prefix {
  const found = parsePrefix(text)
  if (found === undefined) throw new Error(text)
  return found
}
