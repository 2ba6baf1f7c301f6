/**
 * Addresses of containers, unique in the whole cluster: what Docker asks for, in order.
 *
 *   in a block of ours      at once, from memory and disk; works without store and without others
 *   a block nobody has      one transaction in the store
 *   an empty block of others, then single addresses of others: they are asked
 *   one that still rests    better than none
 *   none                    POOL_FULL, with who has how many
 *
 * See `ledger.ts` for what one host does alone, `grow.ts` and `give.ts` for the two sides of what
 * hosts do together, `pools.ts` for subnets, `reserve.ts` for gateways, `tend.ts` for what is put right afterwards.
 */

import type { IpAddress } from '../model/address.ts'
import type { HostId } from '../model/cluster.ts'
import { Fault } from '../model/fault.ts'
import { addressInUse, addressOutside, poolCutOff, poolFull, poolUnknown } from '../model/faults.ts'
import {
  blockOf,
  defaultGateway,
  isAssignable,
  poolOf,
  poolSize,
  readPoolId,
} from '../model/pool.ts'
import type { Pool } from '../model/pool.ts'
import { contains, formatPrefix } from '../model/prefix.ts'
import type { Prefix } from '../model/prefix.ts'
import { pools, singles } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { Desk, HelpReply, HelpRequest, HoldsReply } from './desk.ts'
import { help, holds, recall, takeBackFrom } from './give.ts'
import type { HoldsQuestion } from './give.ts'
import { askOthers, borrow, claimBlock, claimBlockOf } from './grow.ts'
import { addSingle, lentOf, putBack, release, take, takeExactly, takeResting } from './ledger.ts'
import type { Ledger } from './ledger.ts'
import { dissolve, dropPool, holdPool, meetPool } from './pools.ts'
import type { PoolRequest } from './pools.ts'
import { reserve } from './reserve.ts'
import { removePeer } from './rmpeer.ts'
import type { Removed } from './rmpeer.ts'

export interface AddressRequest {
  readonly pool: string
  /** This one and no other. */
  readonly address?: IpAddress | undefined
  /** `reserved`: a gateway or an auxiliary address, the same for all hosts. */
  readonly use: 'container' | 'reserved'
}

export interface Ipam {
  readonly holdPool: (request: PoolRequest) => Promise<Pool>
  readonly dropPool: (id: string) => Promise<void>
  /** @returns the address with the length of its subnet. */
  readonly grant: (request: AddressRequest) => Promise<string>
  /** What is unknown is no error. */
  readonly release: (pool: string, address: IpAddress) => Promise<void>
  /** @param host a name or an ID. @throws PEER_UNKNOWN, PEER_ALIVE */
  readonly removePeer: (host: string) => Promise<Removed>
  /** For other hosts. */
  readonly help: (request: HelpRequest) => Promise<HelpReply>
  readonly forget: (gone: HostId) => Promise<number>
  readonly holds: (question: HoldsQuestion) => Promise<HoldsReply>
}

/** A block may have no address for containers in it: the one of a small subnet's first address. */
const rounds = 4

export function createIpam(desk: Desk): Ipam {
  return {
    holdPool: (request) => holdPool(desk, request),
    async dropPool(id) {
      const pool = readPoolId(id)
      if (pool === undefined || !(await dropPool(desk, pool))) return
      // What fails now is done by and by: see tend.ts.
      await dissolve(desk, pool).catch(() => {})
    },
    async grant({ pool: id, address, use }) {
      const pool = readPoolId(id)
      if (pool === undefined) throw poolUnknown(id)
      return formatPrefix(await grant(desk, { pool, address, use }))
    },
    async release(id, address) {
      const pool = readPoolId(id)
      const ledger = pool === undefined ? undefined : ledgerOf(desk, pool, address)
      if (ledger === undefined || !release(ledger, address, desk.now())) return
      await desk.book.save(ledger)
    },
    removePeer: (host) => removePeer(desk, host),
    help: (request) => help(desk, request),
    forget: (gone) => takeBackFrom(desk, gone),
    holds: (question) => holds(desk, question),
  }
}

interface Grant {
  readonly pool: Pool
  readonly address: IpAddress | undefined
  readonly use: AddressRequest['use']
}

/** Docker names the pool that it asked, also where the address came from a sibling. */
function ledgerOf({ book, siblings }: Desk, pool: Pool, address: IpAddress): Ledger | undefined {
  const home = [pool, ...siblings(pool)].find(({ subnet }) => contains(subnet, address))
  return home === undefined ? undefined : book.find(home.id)
}

async function grant(desk: Desk, { pool, address, use }: Grant): Promise<Prefix> {
  const { length } = pool.subnet
  const wanted = address ?? (use === 'reserved' ? defaultGateway(pool) : undefined)
  if (wanted !== undefined && !isAssignable(pool, wanted)) {
    throw addressOutside(wanted, formatPrefix(pool.subnet))
  }
  if (wanted !== undefined && isDecidedElsewhere(desk, pool)) return { address: wanted, length }
  if (wanted === undefined) return await grantAnywhere(desk, pool)
  const ledger = await meetPool(desk, pool)
  if (use === 'reserved') await reserve(desk, ledger, wanted)
  else await grantThis(desk, ledger, wanted)
  return { address: wanted, length }
}

/** In this subnet of the network, or in another one when it is full: Docker itself does not try. */
async function grantAnywhere(desk: Desk, pool: Pool): Promise<Prefix> {
  let problem: unknown
  for (const { id, subnet, space, range } of [pool, ...desk.siblings(pool)]) {
    try {
      const ledger = await meetPool(desk, { id, subnet, space, range })
      return { address: await grantAny(desk, ledger), length: subnet.length }
    } catch (error) {
      problem ??= error
      if (!(error instanceof Fault) || error.code !== poolFull.code) break
    }
  }
  throw problem
}

/**
 * A swarm's node asks for what the manager has chosen from the same subnet in global space: that is
 * no request but a confirmation.
 */
function isDecidedElsewhere({ view, book }: Desk, { space, subnet, range }: Pool): boolean {
  if (space === 'global') return false
  const global = poolOf('global', subnet, range)
  return global !== undefined && (view.pools().has(global.id) || book.find(global.id) !== undefined)
}

async function grantAny(desk: Desk, ledger: Ledger): Promise<IpAddress> {
  const quick = take(ledger, desk.now())
  if (quick !== undefined) return await keep(desk, ledger, quick)
  return await desk.turns.take(`grow ${ledger.pool.id}`, () => growAndTake(desk, ledger))
}

async function growAndTake(desk: Desk, ledger: Ledger): Promise<IpAddress> {
  let outage: unknown
  for (let round = 0; round < rounds; round += 1) {
    const address = take(ledger, desk.now())
    if (address !== undefined) return await keep(desk, ledger, address)
    const hasMore = await claimBlock(desk, ledger).catch((error: unknown) => {
      outage = error
      return false
    })
    if (!hasMore) break
  }
  const address =
    (outage === undefined ? await takeFromOthers(desk, ledger) : undefined) ??
    takeResting(ledger, desk.now()) ??
    (outage === undefined ? await takeWhatRestsElsewhere(desk, ledger) : undefined)
  if (address !== undefined) return await keep(desk, ledger, address)
  const { pool } = ledger
  if (outage instanceof Fault) throw poolCutOff(formatPrefix(pool.subnet), outage.message)
  if (outage instanceof Error) throw outage
  throw poolFull(formatPrefix(pool.range), String(poolSize(pool)), desk.usage(pool))
}

async function takeFromOthers(desk: Desk, ledger: Ledger): Promise<IpAddress | undefined> {
  const block = await askOthers(desk, ledger, { want: 'block' })
  if (block !== undefined && (await claimBlock(desk, ledger))) {
    const address = take(ledger, desk.now())
    if (address !== undefined) return address
  }
  const single = await askOthers(desk, ledger, { want: 'address' })
  return single?.kind === 'address' ? single.address : undefined
}

/** Theirs, or ours that they have borrowed. */
async function takeWhatRestsElsewhere(desk: Desk, ledger: Ledger): Promise<IpAddress | undefined> {
  const single = await askOthers(desk, ledger, { want: 'address', urgent: true })
  if (single?.kind === 'address') return single.address
  for (const [address, borrower] of lentOf(ledger)) {
    await recallUrgently(desk, ledger, { address, borrower })
    const given = takeResting(ledger, desk.now())
    if (given !== undefined) return given
  }
  return undefined
}

async function recallUrgently(
  desk: Desk,
  ledger: Ledger,
  { address, borrower }: { readonly address: IpAddress; readonly borrower: HostId },
): Promise<void> {
  // Whoever does not answer keeps what it has.
  await recall(desk, ledger, { borrower, addresses: [address], urgent: true }).catch(() => {})
}

function grantThis(desk: Desk, ledger: Ledger, address: IpAddress): Promise<IpAddress> {
  const { pool } = ledger
  return desk.turns.take(`grow ${pool.id}`, async () => {
    if (ledger.reserved.has(address)) throw inUse(pool, address, 'a gateway or the like has it')
    if (blockOf(pool, address) === undefined) await claimSingle(desk, ledger, address)
    else await takeThis(desk, ledger, address)
    return await keep(desk, ledger, address)
  })
}

async function takeThis(desk: Desk, ledger: Ledger, address: IpAddress): Promise<void> {
  const { pool } = ledger
  for (let round = 0; round < rounds; round += 1) {
    const outcome = takeExactly(ledger, address, desk.now())
    if (outcome === 'taken') return
    if (outcome === 'in-use') {
      await free(desk, ledger, address)
      continue
    }
    const owner = await claimBlockOf(desk, ledger, address)
    // What everybody keeps free is known only now, if the block is new to us.
    if (ledger.reserved.has(address)) throw inUse(pool, address, 'a gateway or the like has it')
    if (owner !== undefined) {
      await borrowThis(desk, ledger, { address, owner })
      return
    }
  }
  throw inUse(pool, address, 'its block is given from host to host just now')
}

/** @throws ADDRESS_IN_USE unless whoever had it is gone, or has no use for it. */
async function free(desk: Desk, ledger: Ledger, address: IpAddress): Promise<void> {
  const { pool } = ledger
  const state = ledger.states.get(address)
  if (state?.kind === 'used') {
    const { sinceMs } = state
    const isGone = await desk.bury(pool, { address, sinceMs })
    if (!isGone) throw inUse(pool, address, 'a container of this host has it')
    release(ledger, address, desk.now())
  }
  if (state?.kind === 'lent') {
    await recallUrgently(desk, ledger, { address, borrower: state.to })
    if (ledger.states.get(address)?.kind !== 'lent') return
    throw inUse(pool, address, `${nameOf(desk, state.to)} has it`)
  }
}

async function borrowThis(
  desk: Desk,
  ledger: Ledger,
  { address, owner }: { readonly address: IpAddress; readonly owner: HostId },
): Promise<void> {
  const name = nameOf(desk, owner)
  const reply = await borrow(desk, ledger, { owner, want: 'address', address, urgent: true }).catch(
    (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error)
      throw inUse(ledger.pool, address, `${name} decides about it and does not answer (${reason})`)
    },
  )
  if (reply.kind === 'address') return
  const reason = reply.kind === 'none' ? reply.reason : 'it answered something else'
  throw inUse(ledger.pool, address, `${name} decides about it: ${reason}`)
}

/** Outside the range, where there are no blocks: the store has each such address by itself. */
async function claimSingle(desk: Desk, ledger: Ledger, address: IpAddress): Promise<void> {
  const { store, self, now } = desk
  const { pool } = ledger
  if (ledger.states.get(address)?.kind === 'used') {
    throw inUse(pool, address, 'a container of this host has it')
  }
  const found = await store.read(pools.key(pool.id))
  const record = found === undefined ? undefined : pools.decode(found.text)
  if (record?.reserved.includes(address) === true) {
    throw inUse(pool, address, 'a gateway or the like has it')
  }
  const key = singles.key({ pool: pool.id, part: address })
  const text = singles.encode({ owner: self })
  const outcome = await store.commit([{ kind: 'put', key, text, expected: 0n }])
  if (outcome.kind === 'stale') {
    const owner = await ownerOf(store, key)
    if (owner !== self) throw inUse(pool, address, `${nameOf(desk, owner)} has it`)
  }
  addSingle(ledger, address, { from: null, nowMs: now().nowMs })
}

async function ownerOf(store: Store, key: string): Promise<HostId | undefined> {
  const found = await store.read(key)
  return found === undefined ? undefined : singles.decode(found.text)?.owner
}

function nameOf({ view }: Desk, host: HostId | undefined): string {
  if (host === undefined) return 'somebody'
  return view.hosts().get(host)?.value.nickname ?? host
}

/** What is not on the disk was not given. */
async function keep(desk: Desk, ledger: Ledger, address: IpAddress): Promise<IpAddress> {
  try {
    await desk.book.save(ledger)
    return address
  } catch (error) {
    putBack(ledger, address)
    throw error
  }
}

function inUse(pool: Pool, address: IpAddress, problem: string): Fault {
  return addressInUse(address, formatPrefix(pool.subnet), problem)
}
