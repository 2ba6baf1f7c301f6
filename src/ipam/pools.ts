/**
 * Which pools there are: made for a network, held by the hosts whose Docker has such a network, and
 * gone with the last of them.
 *
 * Pools are made and removed one at a time in the whole cluster: every such transaction writes the
 * same guard record, and fails if somebody else has written it since the pools were looked at. So no
 * two pools overlap, whatever their sizes, and none goes while somebody begins to hold it.
 */

import type { IpAddress } from '../model/address.ts'
import { badNetworkOption, poolOverlaps, poolsExhausted } from '../model/faults.ts'
import { conflict, poolOf, readPoolId } from '../model/pool.ts'
import type { BlockId, Pool, Space } from '../model/pool.ts'
import { addressBits, formatPrefix } from '../model/prefix.ts'
import type { Prefix } from '../model/prefix.ts'
import { blocks, holders, ipamGuardKey, pools, singles } from '../store/schema.ts'
import type { PoolRecord } from '../store/schema.ts'
import type { Revision, Write } from '../store/store.ts'
import { chooseSubnet } from './choose.ts'
import type { Desk } from './desk.ts'
import { writeBlock } from './give.ts'
import { addBlock, createLedger, lentOf } from './ledger.ts'
import type { Ledger, Lent } from './ledger.ts'

export interface PoolRequest {
  readonly space: Space
  /** One is chosen when there is none. */
  readonly subnet?: Prefix | undefined
  readonly range?: Prefix | undefined
  readonly family: 4 | 6
  /** Prefix length of a subnet that is chosen; the cluster's usual one if absent. */
  readonly length?: number | undefined
}

/** What is in the store, with what it takes to change it there. */
interface Seen {
  readonly guard: Revision
  readonly pools: readonly Pool[]
  readonly record: (
    pool: Pool,
  ) => { readonly value: PoolRecord; readonly revision: Revision } | undefined
}

const attempts = 64

/**
 * Every call holds the pool once more, and a chosen one is another each time: Docker asks again and
 * again until it likes the subnet, and gives back the others only then.
 *
 * @throws POOL_OVERLAPS, POOLS_EXHAUSTED, STORE_UNREACHABLE
 */
export function holdPool(desk: Desk, request: PoolRequest): Promise<Pool> {
  return desk.turns.take('pools', async () => {
    const known = knownPool(desk, request)
    const pool = known ?? (await changePools(desk, (seen) => planHold(desk, seen, request)))
    const ledger = desk.book.open(pool)
    ledger.refs += 1
    await desk.book.save(ledger).catch((error: unknown) => {
      ledger.refs -= 1
      throw error
    })
    return pool
  })
}

/**
 * The ledger of a pool whose ID Docker has from another host, or from before this host lost its own.
 *
 * @throws POOL_OVERLAPS, STORE_UNREACHABLE
 */
export async function meetPool(desk: Desk, pool: Pool): Promise<Ledger> {
  const known = desk.book.find(pool.id)
  if (known !== undefined) return known
  const { space, subnet, range } = pool
  const family = addressBits(subnet.address) === 32 ? 4 : 6
  return desk.turns.take('pools', async () => {
    const met = desk.book.find(pool.id)
    if (met !== undefined) return met
    await changePools(desk, (seen) => planHold(desk, seen, { space, subnet, range, family }))
    const ledger = desk.book.open(pool)
    if (space === 'local') ledger.refs = 1
    await desk.book.save(ledger)
    return ledger
  })
}

/** An unknown pool is no error. @returns whether nobody here holds it any more. */
export function dropPool({ book, turns }: Desk, pool: Pool): Promise<boolean> {
  return turns.take('pools', async () => {
    const ledger = book.find(pool.id) ?? (pool.space === 'global' ? book.open(pool) : undefined)
    if (ledger === undefined) return false
    ledger.refs = pool.space === 'global' ? 0 : Math.max(0, ledger.refs - 1)
    await book.save(ledger)
    return ledger.refs === 0
  })
}

/**
 * Gives back everything that this host has of a pool, and removes the pool when nobody else holds it
 * (or, in global space, in any case: one host speaks for all). Does nothing while it is held.
 *
 * @param strays blocks that the store says are ours, though no book has them.
 */
export function dissolve(
  desk: Desk,
  pool: Pool,
  strays: ReadonlyMap<BlockId, Lent> = new Map(),
): Promise<void> {
  const { book, turns, now } = desk
  return turns.take('pools', async () => {
    const known = book.find(pool.id)
    const ledger = known ?? createLedger(pool)
    if (ledger.refs > 0) return
    for (const [id, lent] of strays) addBlock(ledger, id, { lent, used: [], nowMs: now().nowMs })
    for (const block of ledger.blocks.values()) block.closed = true
    if (known !== undefined) await book.save(ledger)
    await changePools(desk, (seen) => planDrop(desk, seen, pool))
    for (const id of ledger.blocks.keys()) await returnBlock(desk, ledger, id)
    await returnSingles(desk, pool)
    await removeAbandoned(desk, pool)
    await book.remove(pool.id)
  })
}

async function planDrop({ store, self }: Desk, seen: Seen, pool: Pool): Promise<Planned> {
  const mine = holders.key({ pool: pool.id, part: self })
  const { records } = await store.list(holders.prefixOf(pool.id))
  const isLast = pool.space === 'global' || records.every(({ key }) => key === mine)
  const record = isLast ? seen.record(pool) : undefined
  const writes: Write[] = records.some(({ key }) => key === mine)
    ? [{ kind: 'delete', key: mine }]
    : []
  if (record !== undefined) {
    writes.push({ kind: 'delete', key: pools.key(pool.id), expected: record.revision })
  }
  return { pool, writes }
}

/** Writes again what the store has lost of a pool that this host holds. */
export function restorePool(desk: Desk, ledger: Ledger): Promise<void> {
  const { pool, reserved } = ledger
  return desk.turns.take('pools', async () => {
    if (desk.book.find(pool.id) !== ledger) return
    await changePools(desk, async (seen) => ({
      pool,
      writes: holding(desk, seen, { pool, reserved: [...reserved] }),
    }))
  })
}

function knownPool({ book }: Desk, { space, subnet, range }: PoolRequest): Pool | undefined {
  // In global space another host may have removed it since.
  const pool = subnet === undefined || space === 'global' ? undefined : poolOf(space, subnet, range)
  const ledger = pool === undefined ? undefined : book.find(pool.id)
  return ledger !== undefined && ledger.refs > 0 ? pool : undefined
}

interface Planned {
  readonly pool: Pool
  readonly writes: readonly Write[]
}

async function planHold(desk: Desk, seen: Seen, request: PoolRequest): Promise<Planned> {
  const pool = choose(desk, seen, request)
  const other = seen.pools.find((one) => one.id !== pool.id && conflict(one, pool))
  if (other !== undefined) throw poolOverlaps(formatPrefix(pool.range), formatPrefix(other.range))
  return { pool, writes: holding(desk, seen, { pool, reserved: [] }) }
}

/** In global space one host speaks for all: there is nobody to count. */
function holding(
  { self, nickname }: Desk,
  seen: Seen,
  { pool, reserved }: { pool: Pool; reserved: IpAddress[] },
): Write[] {
  const key = holders.key({ pool: pool.id, part: self })
  const text = pools.encode({ id: pool.id, reserved })
  return [
    ...(pool.space === 'local'
      ? [{ kind: 'put', key, text: holders.encode({ nickname }) } as const]
      : []),
    ...(seen.record(pool) === undefined
      ? [{ kind: 'put', key: pools.key(pool.id), text, expected: 0n } as const]
      : []),
  ]
}

function choose({ choice, routes }: Desk, seen: Seen, request: PoolRequest): Pool {
  const { space, range, family } = request
  const { from, length: usual } = choice(family)
  if (request.subnet !== undefined) {
    const pool = poolOf(space, request.subnet, range)
    if (pool !== undefined) return pool
    const text = range === undefined ? '' : formatPrefix(range)
    throw badNetworkOption('--ip-range', `${text} is not in ${formatPrefix(request.subnet)}`)
  }
  const length = request.length ?? usual
  const taken = [...seen.pools.map(({ subnet }) => subnet), ...routes()]
  const subnet = chooseSubnet({ from, length, taken })
  const pool = subnet === undefined ? undefined : poolOf(space, subnet)
  if (pool === undefined) throw poolsExhausted(formatPrefix(from), length)
  return pool
}

/** Looks, plans, and writes what was planned together with the guard; again if somebody was faster. */
export async function changePools(
  desk: Desk,
  plan: (seen: Seen) => Promise<Planned>,
): Promise<Pool> {
  const { store } = desk
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const seen = await look(desk)
    const { pool, writes } = await plan(seen)
    if (writes.length === 0) return pool
    const text = `${desk.self} ${String(attempt)}`
    const outcome = await store.commit([
      { kind: 'put', key: ipamGuardKey, text, expected: seen.guard },
      ...writes,
    ])
    if (outcome.kind === 'written') return pool
    await pause(desk.random() * Math.min(200, 5 * 2 ** attempt))
  }
  throw new Error('the pools are changed by somebody else all the time')
}

/** The guard first: what is changed after that makes the write fail. */
async function look({ store, view }: Desk): Promise<Seen> {
  const guard = (await store.read(ipamGuardKey))?.revision ?? 0n
  const { records } = await store.list(pools.prefix)
  const found = new Map(
    records.flatMap(({ key, text, revision }) => {
      const id = pools.id(key)
      // One that cannot be read is there all the same: its key says which.
      const value = pools.decode(text) ?? (id === undefined ? undefined : { id, reserved: [] })
      return id === undefined || value === undefined ? [] : [[id, { value, revision }] as const]
    }),
  )
  const lost = [...view.pools()].flatMap(([id, { held }]) => (held === true ? [id] : []))
  const ids = new Set([...found.keys(), ...lost])
  return {
    guard,
    pools: [...ids].map(readPoolId).filter((pool) => pool !== undefined),
    record: ({ id }) => found.get(id),
  }
}

async function returnBlock(desk: Desk, ledger: Ledger, id: BlockId): Promise<void> {
  const { store, self } = desk
  if (lentOf(ledger, id).size > 0) {
    await writeBlock(desk, ledger, { id, owner: null })
    return
  }
  const key = blocks.key({ pool: ledger.pool.id, part: id })
  const found = await store.read(key)
  if (found === undefined || blocks.decode(found.text)?.owner !== self) return
  await store.commit([{ kind: 'delete', key, expected: found.revision }])
}

/** Blocks that were kept for what had been lent of them: of a pool that nobody holds, nothing is. */
async function removeAbandoned({ store }: Desk, pool: Pool): Promise<void> {
  if ((await store.read(pools.key(pool.id))) !== undefined) return
  const { records } = await store.list(blocks.prefixOf(pool.id))
  for (const { key, text, revision } of records) {
    if (blocks.decode(text)?.owner !== null) continue
    await store.commit([{ kind: 'delete', key, expected: revision }])
  }
}

async function returnSingles({ store, self }: Desk, pool: Pool): Promise<void> {
  const { records } = await store.list(singles.prefixOf(pool.id))
  for (const { key, text, revision } of records) {
    if (singles.decode(text)?.owner !== self) continue
    await store.commit([{ kind: 'delete', key, expected: revision }])
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
