/**
 * What one host may hand out of one pool, and what became of it: the host's own book.
 *
 *   free ──take──▶ used ──release──▶ resting ──(a while)──▶ free
 *   free ──lend──▶ lent to another host ──takeBack──▶ resting
 *
 * Everything here happens in memory, at once, and concerns addresses that are this host's alone: in
 * its own blocks, or single ones that it was lent or has claimed. So nobody has to be asked. Whoever
 * changes the book writes it to the disk before anybody is told of the change.
 *
 * Invariants
 *   - An address is in one state at a time; what is used or lent is never handed out.
 *   - Nothing is handed out of a closed block, because it may be another host's by now.
 *   - Time decides only how long an address rests: a clock that jumps makes that shorter or longer.
 */

import { ipFromNumber, ipNumber } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import type { HostId } from '../model/cluster.ts'
import { blockOf, isAssignable, readBlockId } from '../model/pool.ts'
import type { BlockId, Pool } from '../model/pool.ts'
import { addressBits } from '../model/prefix.ts'

export type State =
  | { readonly kind: 'used'; readonly sinceMs: number }
  | { readonly kind: 'resting'; readonly sinceMs: number }
  | { readonly kind: 'lent'; readonly to: HostId }

export interface Ledger {
  readonly pool: Pool
  /** How often this host's Docker holds the pool. */
  refs: number
  /** What is missing is free. */
  readonly states: Map<IpAddress, State>
  readonly blocks: Map<BlockId, { closed: boolean }>
  /** Ours without their block, with who lent them; null: outside the range, claimed in the store. */
  readonly singles: Map<IpAddress, HostId | null>
  /** What the whole cluster keeps free for gateways and the like. */
  readonly reserved: Set<IpAddress>
  /** Addresses are given in a row, so that one that was released comes up again late. */
  next: bigint
}

/** Addresses that were lent, with the host that has them. */
export type Lent = ReadonlyMap<IpAddress, HostId>

export interface Now {
  readonly nowMs: number
  /** How long a released address is kept from being used again. */
  readonly restMs: number
}

export function createLedger(pool: Pool): Ledger {
  return {
    pool,
    refs: 0,
    states: new Map(),
    blocks: new Map(),
    singles: new Map(),
    reserved: new Set(),
    next: 0n,
  }
}

/** One that is free and has rested. */
export function take(ledger: Ledger, now: Now): IpAddress | undefined {
  const address = findFree(ledger, now) ?? idleSingles(ledger, now)[0]
  if (address !== undefined) ledger.states.set(address, { kind: 'used', sinceMs: now.nowMs })
  return address
}

/** The one that has rested longest, though not long enough: better than none. */
export function takeResting(ledger: Ledger, { nowMs }: Now): IpAddress | undefined {
  const address = longestResting(ledger, isOurs)
  if (address !== undefined) ledger.states.set(address, { kind: 'used', sinceMs: nowMs })
  return address
}

/** `elsewhere`: it is not this host's to give. */
export function takeExactly(
  ledger: Ledger,
  address: IpAddress,
  { nowMs }: Now,
): 'taken' | 'in-use' | 'elsewhere' {
  const state = ledger.states.get(address)
  if (state?.kind === 'used' || state?.kind === 'lent') return 'in-use'
  if (!isOurs(ledger, address)) return 'elsewhere'
  ledger.states.set(address, { kind: 'used', sinceMs: nowMs })
  return 'taken'
}

/** False when it was not in use here. */
export function release(ledger: Ledger, address: IpAddress, { nowMs }: Now): boolean {
  if (ledger.states.get(address)?.kind !== 'used') return false
  ledger.states.set(address, { kind: 'resting', sinceMs: nowMs })
  return true
}

/** Undoes a `take` of which nobody was told. */
export function putBack(ledger: Ledger, address: IpAddress): void {
  ledger.states.delete(address)
}

/**
 * From now on the block is this host's.
 * @param found what its owner before us had lent, and what is known to be in use on this host.
 */
export function addBlock(
  ledger: Ledger,
  id: BlockId,
  { lent, used, nowMs }: { lent: Lent; used: Iterable<IpAddress>; nowMs: number },
): void {
  if (ledger.blocks.has(id) || readBlockId(ledger.pool, id) === undefined) return
  ledger.blocks.set(id, { closed: false })
  for (const [address, to] of lent) {
    if (isIn(ledger, id, address) && !ledger.singles.has(address)) {
      ledger.states.set(address, { kind: 'lent', to })
    }
  }
  for (const address of used) {
    if (isIn(ledger, id, address)) ledger.states.set(address, { kind: 'used', sinceMs: nowMs })
  }
  for (const address of ledger.singles.keys()) {
    if (isIn(ledger, id, address)) ledger.singles.delete(address)
  }
}

/** It is not this host's any more; what is used of it stays so, as a single address. */
export function dropBlock(ledger: Ledger, id: BlockId): readonly IpAddress[] {
  ledger.blocks.delete(id)
  const strays: IpAddress[] = []
  for (const [address, { kind }] of ledger.states) {
    if (!isIn(ledger, id, address)) continue
    if (kind === 'used') strays.push(address)
    else ledger.states.delete(address)
  }
  for (const address of strays) ledger.singles.set(address, null)
  return strays
}

/** An open block of which nothing is used, lent, reserved or resting. */
export function emptyBlock(ledger: Ledger, now: Now): BlockId | undefined {
  const busy = new Set<BlockId | undefined>()
  for (const [address, state] of ledger.states) {
    if (!isFree(state, now)) busy.add(blockOf(ledger.pool, address))
  }
  return [...ledger.blocks].find(([id, { closed }]) => !closed && !busy.has(id))?.[0]
}

/** Repeated for the same host and address it gives the same answer. */
export function lend(
  ledger: Ledger,
  to: HostId,
  { now, wanted, urgent = false }: { now: Now; wanted?: IpAddress | undefined; urgent?: boolean },
): IpAddress | undefined {
  const free = wanted ?? findFree(ledger, now)
  const address = free ?? (urgent ? longestResting(ledger, isInOpenBlock) : undefined)
  if (address === undefined || !isInOpenBlock(ledger, address)) return undefined
  const state = ledger.states.get(address)
  const isAgain = state?.kind === 'lent' && state.to === to
  if (state !== undefined && state.kind !== 'resting' && !isAgain) return undefined
  ledger.states.set(address, { kind: 'lent', to })
  return address
}

export function takeBack(ledger: Ledger, address: IpAddress, { nowMs }: Now): void {
  if (ledger.states.get(address)?.kind !== 'lent') return
  ledger.states.set(address, { kind: 'resting', sinceMs: nowMs })
}

/** What of this block is lent; of all blocks when none is named. */
export function lentOf(ledger: Ledger, id?: BlockId): Lent {
  const lent = new Map<IpAddress, HostId>()
  for (const [address, state] of ledger.states) {
    if (state.kind === 'lent' && (id === undefined || isIn(ledger, id, address))) {
      lent.set(address, state.to)
    }
  }
  return lent
}

/** In use from now on. */
export function addSingle(
  ledger: Ledger,
  address: IpAddress,
  { from, nowMs }: { from: HostId | null; nowMs: number },
): void {
  ledger.singles.set(address, from)
  ledger.states.set(address, { kind: 'used', sinceMs: nowMs })
}

export function dropSingle(ledger: Ledger, address: IpAddress): void {
  ledger.singles.delete(address)
  ledger.states.delete(address)
}

/** Drops single addresses that nobody here uses any more, of these; returns which. */
export function dropIdle(
  ledger: Ledger,
  addresses: readonly IpAddress[],
  { now, urgent }: { readonly now: Now; readonly urgent: boolean },
): readonly IpAddress[] {
  const idle = addresses.filter((address) => {
    const state = ledger.states.get(address)
    if (!ledger.singles.has(address)) return false
    return isFree(state, now) || (urgent && state?.kind === 'resting')
  })
  for (const address of idle) dropSingle(ledger, address)
  return idle
}

/** Single addresses that nobody here uses any more, and that have rested. */
export function idleSingles(ledger: Ledger, now: Now): readonly IpAddress[] {
  return [...ledger.singles.keys()].filter((address) => isFree(ledger.states.get(address), now))
}

export function usedIn(ledger: Ledger): { address: IpAddress; sinceMs: number }[] {
  return [...ledger.states].flatMap(([address, state]) =>
    state.kind === 'used' ? [{ address, sinceMs: state.sinceMs }] : [],
  )
}

function longestResting(
  ledger: Ledger,
  isGood: (ledger: Ledger, address: IpAddress) => boolean,
): IpAddress | undefined {
  let oldest: { address: IpAddress; sinceMs: number } | undefined
  for (const [address, state] of ledger.states) {
    if (state.kind !== 'resting' || !isGood(ledger, address)) continue
    if (ledger.reserved.has(address) || !isAssignable(ledger.pool, address)) continue
    const { sinceMs } = state
    if (oldest === undefined || sinceMs < oldest.sinceMs) oldest = { address, sinceMs }
  }
  return oldest?.address
}

/**
 * Goes once round each open block, beginning where the last address was given: nearly always, the
 * next one is free.
 */
function findFree(ledger: Ledger, now: Now): IpAddress | undefined {
  const bits = addressBits(ledger.pool.range.address)
  const next = ipFromNumber(ledger.next, bits)
  if (next !== undefined && isInOpenBlock(ledger, next) && isGivable(ledger, next, now)) {
    ledger.next += 1n
    return next
  }
  for (const { first, size } of blocksFromNext(ledger, bits)) {
    const start = ledger.next >= first && ledger.next < first + size ? ledger.next - first : 0n
    for (let step = 0n; step < size; step += 1n) {
      const number = first + ((start + step) % size)
      const address = ipFromNumber(number, bits)
      if (address === undefined || !isGivable(ledger, address, now)) continue
      ledger.next = number + 1n
      return address
    }
  }
  return undefined
}

function blocksFromNext(
  ledger: Ledger,
  bits: 32 | 128,
): readonly { first: bigint; size: bigint }[] {
  const full = fullBlocks(ledger)
  const open = [...ledger.blocks]
    .filter(([id, { closed }]) => !closed && !full.has(id))
    .flatMap(([id]) => {
      const prefix = readBlockId(ledger.pool, id)
      if (prefix === undefined) return []
      return [{ first: ipNumber(prefix.address), size: 1n << BigInt(bits - prefix.length) }]
    })
  const at = open.findIndex(({ first, size }) => ledger.next >= first && ledger.next < first + size)
  return at === -1 ? open : [...open.slice(at), ...open.slice(0, at)]
}

/** Blocks that are not worth a look: of big pools there may be many, and all but one are full. */
function fullBlocks({ pool, states, blocks }: Ledger): ReadonlySet<BlockId> {
  if (blocks.size < 2) return new Set()
  const counts = new Map<BlockId, bigint>()
  for (const [address, { kind }] of states) {
    const id = kind === 'resting' ? undefined : blockOf(pool, address)
    if (id !== undefined) counts.set(id, (counts.get(id) ?? 0n) + 1n)
  }
  return new Set(
    [...counts].flatMap(([id, count]) => {
      const length = readBlockId(pool, id)?.length ?? 0
      return count >= 1n << BigInt(addressBits(pool.range.address) - length) ? [id] : []
    }),
  )
}

function isGivable(ledger: Ledger, address: IpAddress, now: Now): boolean {
  return (
    isFree(ledger.states.get(address), now) &&
    !ledger.reserved.has(address) &&
    isAssignable(ledger.pool, address)
  )
}

function isFree(state: State | undefined, { nowMs, restMs }: Now): boolean {
  if (state === undefined) return true
  if (state.kind !== 'resting') return false
  return nowMs - state.sinceMs >= restMs || nowMs < state.sinceMs
}

function isOurs(ledger: Ledger, address: IpAddress): boolean {
  return ledger.singles.has(address) || isInOpenBlock(ledger, address)
}

function isInOpenBlock({ pool, blocks }: Ledger, address: IpAddress): boolean {
  const id = blockOf(pool, address)
  return id !== undefined && blocks.get(id)?.closed === false
}

function isIn({ pool }: Ledger, id: BlockId, address: IpAddress): boolean {
  return blockOf(pool, address) === id
}
