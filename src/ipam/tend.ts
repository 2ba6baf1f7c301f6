/**
 * Puts right, by and by, what was cut short: by a crash, an outage, or a host that went away.
 *
 * Every rule begins with something that may be out of date (the view) and ends with a question to
 * whoever knows (the store, the other host). None of them is ever urgent: what waits here is at most
 * an address that nobody uses.
 */

import type { IpAddress } from '../model/address.ts'
import type { HostId } from '../model/cluster.ts'
import { blockOf, readPoolId } from '../model/pool.ts'
import type { BlockId, Pool, PoolId } from '../model/pool.ts'
import { blocks, holders, pools, singles } from '../store/schema.ts'
import type { Desk } from './desk.ts'
import { recall, settleClosed, writeBlock } from './give.ts'
import { adoptBlocks } from './grow.ts'
import { dropBlock, dropSingle, idleSingles, lentOf } from './ledger.ts'
import type { Ledger, Lent } from './ledger.ts'
import { readLent } from './lent.ts'
import { dissolve, meetPool, restorePool } from './pools.ts'

/** One round. What fails is tried again in the next one; @returns why something did. */
export async function tend(desk: Desk): Promise<readonly unknown[]> {
  if (!desk.view.isReady()) return []
  const failures: unknown[] = []
  function fail(error: unknown): void {
    failures.push(error)
  }
  for (const ledger of desk.book.all()) await tendLedger(desk, ledger).catch(fail)
  for (const [id, strays] of straysOf(desk)) await tendStrays(desk, id, strays).catch(fail)
  return failures
}

async function tendLedger(desk: Desk, ledger: Ledger): Promise<void> {
  if (await isOver(desk, ledger)) {
    await dissolve(desk, ledger.pool)
    return
  }
  await settle(desk, ledger)
  if (isMissing(desk, ledger)) await restorePool(desk, ledger)
  await restoreBlocks(desk, ledger)
  if (hasStrays(desk, ledger)) {
    await desk.turns.take(`grow ${ledger.pool.id}`, () => adoptBlocks(desk, ledger))
  }
  await returnIdle(desk, ledger)
  await recallAll(desk, ledger)
}

/** In global space somebody else may have removed the pool; nobody has when the store lost it. */
async function isOver({ view, store, book }: Desk, ledger: Ledger): Promise<boolean> {
  const { pool } = ledger
  if (pool.space === 'local') return ledger.refs === 0
  if (view.pools().has(pool.id) || view.held() > 0) return false
  if ((await store.read(pools.key(pool.id))) !== undefined) return false
  ledger.refs = 0
  await book.save(ledger)
  return true
}

async function settle(desk: Desk, ledger: Ledger): Promise<void> {
  for (const [id, block] of ledger.blocks) {
    if (!block.closed) continue
    await desk.turns.take(`give ${ledger.pool.id}`, async () => {
      if (block.closed) await settleClosed(desk, ledger, id)
    })
  }
}

function isMissing({ view, self }: Desk, { pool }: Ledger): boolean {
  const record = view.pools().get(pool.id)
  const holder = view.holders().get(holders.key({ pool: pool.id, part: self }))
  const isHeld = holder !== undefined && holder.held !== true
  return record === undefined || record.held === true || (pool.space === 'local' && !isHeld)
}

async function restoreBlocks(desk: Desk, ledger: Ledger): Promise<void> {
  const { view, self, turns, book, warn } = desk
  const { pool } = ledger
  for (const [id, { closed }] of ledger.blocks) {
    const seen = view.blocks().get(blocks.key({ pool: pool.id, part: id }))
    if (closed || (seen?.value.owner === self && seen.held !== true)) continue
    await turns.take(`give ${pool.id}`, async () => {
      if ((await writeBlock(desk, ledger, { id, owner: self })) === 'written') return
      const strays = dropBlock(ledger, id)
      await book.save(ledger)
      if (strays.length === 0) return
      warn(`addresses ${strays.join(', ')} are in use here, but their block is another host's now`)
    })
  }
}

function hasStrays({ view, self }: Desk, { pool, blocks: known }: Ledger): boolean {
  const prefix = blocks.prefixOf(pool.id)
  for (const [key, { value, held }] of view.blocks()) {
    if (value.owner !== self || held === true || !key.startsWith(prefix)) continue
    const id = blocks.id(key)
    if (id !== undefined && !known.has(id.part)) return true
  }
  return false
}

/** What was lent to us, or claimed outside the range, and is of no use any more. */
async function returnIdle(desk: Desk, ledger: Ledger): Promise<void> {
  const { store, self, book, now } = desk
  const { pool } = ledger
  const idle = idleSingles(ledger, now())
  for (const address of idle) {
    const isClaimed = ledger.singles.get(address) === null && blockOf(pool, address) === undefined
    const key = singles.key({ pool: pool.id, part: address })
    const found = isClaimed ? await store.read(key) : undefined
    dropSingle(ledger, address)
    if (found === undefined || singles.decode(found.text)?.owner !== self) continue
    await store.commit([{ kind: 'delete', key, expected: found.revision }])
  }
  if (idle.length > 0) await book.save(ledger)
}

async function recallAll(desk: Desk, ledger: Ledger): Promise<void> {
  const borrowers = new Map<HostId, IpAddress[]>()
  for (const [address, to] of lentOf(ledger)) {
    borrowers.set(to, [...(borrowers.get(to) ?? []), address])
  }
  for (const [borrower, addresses] of borrowers) {
    if (!desk.view.hosts().has(borrower)) continue
    await recall(desk, ledger, { borrower, addresses, urgent: false })
  }
}

/** What the store says is ours of pools that no book of ours knows. */
function straysOf({ view, self, book }: Desk): ReadonlyMap<PoolId, ReadonlyMap<BlockId, Lent>> {
  const strays = new Map<PoolId, Map<BlockId, Lent>>()
  function strayOf(pool: PoolId): Map<BlockId, Lent> {
    const found = strays.get(pool) ?? new Map<BlockId, Lent>()
    strays.set(pool, found)
    return found
  }
  for (const [key, { held }] of view.holders()) {
    const id = holders.id(key)
    if (id?.part !== self || held === true || book.find(id.pool) !== undefined) continue
    strayOf(id.pool)
  }
  for (const [key, { value, held }] of view.blocks()) {
    const id = value.owner === self && held !== true ? blocks.id(key) : undefined
    if (id === undefined || book.find(id.pool) !== undefined) continue
    strayOf(id.pool).set(id.part, readLent(value))
  }
  return strays
}

/** A book that was lost while containers go on: begin it anew. Otherwise nobody needs the pool. */
async function tendStrays(
  desk: Desk,
  id: PoolId,
  strays: ReadonlyMap<BlockId, Lent>,
): Promise<void> {
  const pool = readPoolId(id)
  if (pool === undefined) return
  if (hasContainers(desk, pool)) await meetPool(desk, pool)
  else await dissolve(desk, pool, strays)
}

function hasContainers({ usedHere }: Desk, pool: Pool): boolean {
  return [...usedHere(pool)].length > 0
}
