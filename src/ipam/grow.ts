/**
 * Gets this host more addresses of a pool: a block nobody has, one that another host does not need,
 * or single addresses of others.
 *
 * The store decides who owns a block, by compare-and-swap. The trap is what was sent and never
 * answered: it may still happen, later. So nothing is believed of a block because it was read; it is
 * ours once a write of ours, based on what was read, has gone through.
 */

import type { IpAddress } from '../model/address.ts'
import type { HostId } from '../model/cluster.ts'
import { blockAt, blockCount, blockOf } from '../model/pool.ts'
import type { BlockId, Pool } from '../model/pool.ts'
import { blocks, pools } from '../store/schema.ts'
import type { BlockRecord } from '../store/schema.ts'
import type { Revision } from '../store/store.ts'
import type { Desk, HelpReply } from './desk.ts'
import { addBlock, addSingle } from './ledger.ts'
import type { Ledger, Lent } from './ledger.ts'
import { readLent } from './lent.ts'

interface SeenBlock {
  /** Undefined: it cannot be read, so it is not free either. */
  readonly record: BlockRecord | undefined
  readonly revision: Revision
}

type SeenBlocks = ReadonlyMap<BlockId, SeenBlock>

/** Others may be faster many times when a whole cluster starts. */
const attempts = 32
/** Hosts choose among this many blocks more than are taken, so that they seldom meet. */
const spread = 16
const helpMs = 6000

/** False when no block is free. @throws STORE_UNREACHABLE */
export async function claimBlock(desk: Desk, ledger: Ledger): Promise<boolean> {
  const { pool } = ledger
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const seen = await listBlocks(desk, pool)
    const id = findOwn(desk, ledger, seen) ?? chooseBlock(desk, pool, seen)
    if (id === undefined) return false
    if (await own(desk, ledger, { id, before: seen.get(id) })) return true
  }
  return false
}

/** Takes into the book what the store says is ours: we died between the two. */
export async function adoptBlocks(desk: Desk, ledger: Ledger): Promise<void> {
  const seen = await listBlocks(desk, ledger.pool)
  for (const [id, before] of seen) {
    if (before.record?.owner !== desk.self || ledger.blocks.has(id)) continue
    await own(desk, ledger, { id, before })
  }
}

/** The block of this very address. @returns who has it when it is not free. */
export async function claimBlockOf(
  desk: Desk,
  ledger: Ledger,
  address: IpAddress,
): Promise<HostId | undefined> {
  const id = blockOf(ledger.pool, address)
  if (id === undefined) return undefined
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const before = (await listBlocks(desk, ledger.pool)).get(id)
    const owner = before?.record?.owner ?? undefined
    if (owner !== undefined && owner !== desk.self) return owner
    if (await own(desk, ledger, { id, before })) return undefined
  }
  return undefined
}

/** Asks the owners of blocks, those with most of them first. @returns what one of them gave. */
export async function askOthers(
  desk: Desk,
  ledger: Ledger,
  { want, urgent = false }: { readonly want: 'block' | 'address'; readonly urgent?: boolean },
): Promise<HelpReply | undefined> {
  const owners = await ownersOf(desk, ledger.pool)
  const until = performance.now() + helpMs
  for (const owner of owners) {
    if (performance.now() > until) return undefined
    const reply = await borrow(desk, ledger, { owner, want, urgent }).catch(() => undefined)
    if (reply !== undefined && reply.kind !== 'none') return reply
  }
  return undefined
}

/**
 * Asks one host for help; an address that it lends is in the ledger, and in use, afterwards.
 *
 * While this goes on, the lender must not be told that we do not hold the address: `borrowing`.
 */
export async function borrow(
  desk: Desk,
  ledger: Ledger,
  {
    owner,
    want,
    address,
    urgent,
  }: {
    readonly owner: HostId
    readonly want: 'block' | 'address'
    readonly address?: IpAddress | undefined
    readonly urgent: boolean
  },
): Promise<HelpReply> {
  const { peers, borrowing, self } = desk
  const key = `${ledger.pool.id} ${owner}`
  borrowing.set(key, (borrowing.get(key) ?? 0) + 1)
  try {
    const reply = await peers.help(owner, {
      pool: ledger.pool.id,
      borrower: self,
      want,
      address,
      urgent,
    })
    if (reply.kind !== 'address') return reply
    const known = ledger.states.get(reply.address)
    if (known !== undefined)
      return { kind: 'none', reason: `${reply.address} is ${known.kind} here` }
    addSingle(ledger, reply.address, { from: owner, nowMs: desk.now().nowMs })
    return reply
  } finally {
    borrowing.set(key, (borrowing.get(key) ?? 1) - 1)
  }
}

/** Makes a block ours in the store, and then in the book. False when it was somebody's meanwhile. */
async function own(
  { store, self, book, usedHere, now }: Desk,
  ledger: Ledger,
  { id, before }: { readonly id: BlockId; readonly before: SeenBlock | undefined },
): Promise<boolean> {
  const { pool } = ledger
  const record: BlockRecord = { owner: self, lent: before?.record?.lent ?? {} }
  const key = blocks.key({ pool: pool.id, part: id })
  const expected = before?.revision ?? 0n
  const outcome = await store.commit([{ kind: 'put', key, text: blocks.encode(record), expected }])
  if (outcome.kind === 'stale') return false
  // Read after the write: who reserves an address writes first and then looks for the block's owner.
  const found = await store.read(pools.key(pool.id))
  const reserved = found === undefined ? undefined : pools.decode(found.text)?.reserved
  for (const address of reserved ?? []) ledger.reserved.add(address)
  const lent: Lent = new Map([...readLent(record)].filter(([, to]) => to !== self))
  addBlock(ledger, id, { lent, used: usedHere(pool), nowMs: now().nowMs })
  await book.save(ledger)
  return true
}

/** One that the store says is ours and the book does not have: we died between the two. */
function findOwn({ self }: Desk, ledger: Ledger, seen: SeenBlocks): BlockId | undefined {
  return [...seen].find(([id, { record }]) => record?.owner === self && !ledger.blocks.has(id))?.[0]
}

function chooseBlock(desk: Desk, pool: Pool, seen: SeenBlocks): BlockId | undefined {
  const abandoned = [...seen].filter(([, { record }]) => record?.owner === null)
  const held = heldBlocks(desk, pool)
  const [again] = abandoned.filter(([id]) => !held.has(id))
  if (again !== undefined) return again[0]
  const count = blockCount(pool)
  const taken = new Set([...seen.keys(), ...held])
  const window = Math.min(Number(count), taken.size + spread)
  const start = Math.floor(desk.random() * window)
  for (let step = 0; step < window; step += 1) {
    const id = blockAt(pool, BigInt((start + step) % window))
    if (!taken.has(id)) return id
  }
  return undefined
}

/** What the store had and lost: its owners will write it again. */
function heldBlocks({ view }: Desk, pool: Pool): ReadonlySet<BlockId> {
  if (view.held() === 0) return new Set()
  const prefix = blocks.prefixOf(pool.id)
  return new Set(
    [...view.blocks()].flatMap(([key, { held }]) => {
      const id = key.startsWith(prefix) && held === true ? blocks.id(key) : undefined
      return id === undefined ? [] : [id.part]
    }),
  )
}

async function listBlocks({ store }: Desk, pool: Pool): Promise<SeenBlocks> {
  const { records } = await store.list(blocks.prefixOf(pool.id))
  return new Map(
    records.flatMap(({ key, text, revision }) => {
      const id = blocks.id(key)
      return id === undefined ? [] : [[id.part, { record: blocks.decode(text), revision }] as const]
    }),
  )
}

async function ownersOf(desk: Desk, pool: Pool): Promise<readonly HostId[]> {
  const counts = new Map<HostId, number>()
  for (const { record } of (await listBlocks(desk, pool)).values()) {
    const owner = record?.owner ?? undefined
    if (owner !== undefined && owner !== desk.self) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  }
  const alive = [...counts].filter(([owner]) => desk.view.hosts().has(owner))
  return alive.toSorted(([, a], [, b]) => b - a).map(([owner]) => owner)
}
