/**
 * Gives other hosts what this one does not need: a whole block, or single addresses of one.
 *
 * Each is written down here before the store hears of it, and in the store before the other host
 * does. So whatever is cut short leaves an address with nobody for a while, never with two.
 */

import type { IpAddress } from '../model/address.ts'
import type { HostId } from '../model/cluster.ts'
import { blockOf } from '../model/pool.ts'
import type { BlockId } from '../model/pool.ts'
import { blocks } from '../store/schema.ts'
import type { BlockRecord } from '../store/schema.ts'
import type { Desk, HelpReply, HelpRequest, HoldsReply } from './desk.ts'
import { dropBlock, dropIdle, emptyBlock, lend, lentOf, release, takeBack } from './ledger.ts'
import type { Ledger } from './ledger.ts'

const attempts = 8

/** Answers another host that has run out. @throws STORE_UNREACHABLE */
export function help(desk: Desk, request: HelpRequest): Promise<HelpReply> {
  const { book, turns } = desk
  const ledger = book.find(request.pool)
  if (ledger === undefined) return refuse('this host has nothing of the pool')
  // Not the turn in which we ask others: two hosts that ask each other must not wait for each other.
  return turns.take(`give ${request.pool}`, () => {
    switch (request.want) {
      case 'block':
        return giveBlock(desk, ledger, request.borrower)
      case 'address':
        return giveAddress(desk, ledger, request)
      case 'reserve':
        return giveUp(desk, ledger, request.address)
    }
  })
}

export interface HoldsQuestion {
  readonly pool: HelpRequest['pool']
  readonly addresses: readonly IpAddress[]
  readonly lender: HostId
  readonly urgent: boolean
}

/**
 * Which of these this host still has: its lender asks, to have the others back. What nobody uses is
 * given up, on the disk as well, before the lender hears that it may have it.
 */
export async function holds(
  { book, borrowing, now }: Desk,
  { pool, addresses, lender, urgent }: HoldsQuestion,
): Promise<HoldsReply> {
  const busy = (borrowing.get(`${pool} ${lender}`) ?? 0) > 0
  const ledger = book.find(pool)
  if (ledger === undefined) return { held: [], busy }
  if (!busy && dropIdle(ledger, addresses, { now: now(), urgent }).length > 0) {
    await book.save(ledger)
  }
  return { held: addresses.filter((address) => ledger.states.has(address)), busy }
}

/** Of all pools: the borrower is gone for good, as somebody says. @returns how many. */
export async function takeBackFrom(desk: Desk, gone: HostId): Promise<number> {
  let count = 0
  for (const ledger of desk.book.all()) {
    const addresses = [...lentOf(ledger)].flatMap(([address, to]) => (to === gone ? [address] : []))
    if (addresses.length === 0) continue
    await desk.turns.take(`give ${ledger.pool.id}`, () => takeAllBack(desk, ledger, addresses))
    count += addresses.length
  }
  return count
}

/** Asks a borrower what it still has, and takes back the rest. One that does not answer keeps it all. */
export async function recall(
  desk: Desk,
  ledger: Ledger,
  {
    borrower,
    addresses,
    urgent,
  }: {
    readonly borrower: HostId
    readonly addresses: readonly IpAddress[]
    readonly urgent: boolean
  },
): Promise<void> {
  const { pool } = ledger
  await desk.turns.take(`give ${pool.id}`, async () => {
    const reply = await desk.peers.holds(borrower, { pool: pool.id, addresses, urgent })
    if (reply.busy) return
    const back = addresses.filter((address) => !reply.held.includes(address))
    if (back.length > 0) await takeAllBack(desk, ledger, back)
  })
}

async function takeAllBack(
  desk: Desk,
  ledger: Ledger,
  addresses: readonly IpAddress[],
): Promise<void> {
  for (const address of addresses) takeBack(ledger, address, desk.now())
  await desk.book.save(ledger)
  const changed = new Set(addresses.map((address) => blockOf(ledger.pool, address)))
  for (const id of changed) {
    if (id !== undefined) await writeBlock(desk, ledger, { id, owner: desk.self })
  }
}

/**
 * Settles whose a closed block is. What was sent when it was closed may still arrive at the store; a
 * write of ours makes it come too late.
 */
export async function settleClosed(desk: Desk, ledger: Ledger, id: BlockId): Promise<void> {
  const outcome = await writeBlock(desk, ledger, { id, owner: desk.self })
  const block = ledger.blocks.get(id)
  if (outcome === 'lost') dropBlock(ledger, id)
  else if (block !== undefined) block.closed = false
  await desk.book.save(ledger)
}

/** Has the store say what the ledger says of a block's loans; `lost` when it is another host's. */
export async function writeBlock(
  { self, store }: Desk,
  ledger: Ledger,
  { id, owner }: { readonly id: BlockId; readonly owner: HostId | null },
): Promise<'written' | 'lost'> {
  const key = blocks.key({ pool: ledger.pool.id, part: id })
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const found = await store.read(key)
    const before = found === undefined ? undefined : blocks.decode(found.text)
    if (before !== undefined && before.owner !== self) return 'lost'
    const record: BlockRecord = { owner, lent: Object.fromEntries(lentOf(ledger, id)) }
    const outcome = await store.commit([
      { kind: 'put', key, text: blocks.encode(record), expected: found?.revision ?? 0n },
    ])
    if (outcome.kind === 'written') return 'written'
  }
  throw new Error(`${key} is written by somebody else all the time`)
}

async function giveBlock(desk: Desk, ledger: Ledger, borrower: HostId): Promise<HelpReply> {
  const { self, store, book, now } = desk
  const id = emptyBlock(ledger, now())
  const block = id === undefined ? undefined : ledger.blocks.get(id)
  if (id === undefined || block === undefined) return refuse('no block here is empty')
  block.closed = true
  await book.save(ledger)
  const key = blocks.key({ pool: ledger.pool.id, part: id })
  const found = await store.read(key)
  const record = found === undefined ? undefined : blocks.decode(found.text)
  const text = blocks.encode({ owner: borrower, lent: {} })
  const outcome =
    record?.owner === self
      ? await store.commit([{ kind: 'put', key, text, expected: found?.revision ?? 0n }])
      : undefined
  if (outcome?.kind !== 'written') {
    await settleClosed(desk, ledger, id)
    return refuse('the block was not this host’s to give')
  }
  dropBlock(ledger, id)
  await book.save(ledger)
  return { kind: 'block', block: id }
}

async function giveAddress(
  desk: Desk,
  ledger: Ledger,
  { borrower, address: wanted, urgent }: HelpRequest,
): Promise<HelpReply> {
  const { book, now } = desk
  if (wanted !== undefined && ledger.reserved.has(wanted)) return refuse('it is a gateway’s')
  if (wanted !== undefined) await releaseIfGone(desk, ledger, wanted)
  const address = lend(ledger, borrower, { now: now(), wanted, urgent })
  const id = address === undefined ? undefined : blockOf(ledger.pool, address)
  if (address === undefined || id === undefined) {
    return refuse(wanted === undefined ? 'no address here is free' : 'it is in use')
  }
  await book.save(ledger)
  if ((await writeBlock(desk, ledger, { id, owner: desk.self })) === 'written') {
    return { kind: 'address', address }
  }
  takeBack(ledger, address, now())
  return refuse('the block is not this host’s any more')
}

async function releaseIfGone(desk: Desk, ledger: Ledger, address: IpAddress): Promise<void> {
  const state = ledger.states.get(address)
  if (state?.kind !== 'used') return
  const { sinceMs } = state
  if (await desk.bury(ledger.pool, { address, sinceMs })) release(ledger, address, desk.now())
}

async function giveUp(
  { book }: Desk,
  ledger: Ledger,
  address: IpAddress | undefined,
): Promise<HelpReply> {
  const state = address === undefined ? undefined : ledger.states.get(address)
  if (address === undefined || state?.kind === 'used' || state?.kind === 'lent') {
    return refuse('it is in use')
  }
  ledger.reserved.add(address)
  await book.save(ledger)
  return { kind: 'reserved' }
}

async function refuse(reason: string): Promise<HelpReply> {
  return { kind: 'none', reason }
}
