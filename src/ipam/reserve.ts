/**
 * Addresses that no container of the cluster gets: gateways and the like, the same on every host.
 *
 * Who reserves one writes so first, and looks for the block's owner then; who claims a block reads
 * what is reserved afterwards (`own` in grow.ts). So at least one of the two sees the other.
 */

import type { IpAddress } from '../model/address.ts'
import { addressInUse } from '../model/faults.ts'
import { blockOf } from '../model/pool.ts'
import type { Pool } from '../model/pool.ts'
import { formatPrefix } from '../model/prefix.ts'
import { blocks, pools } from '../store/schema.ts'
import type { Desk } from './desk.ts'
import type { Ledger } from './ledger.ts'
import { changePools } from './pools.ts'

/**
 * Keeps an address from every container of the cluster. Repeated it does nothing.
 *
 * @throws ADDRESS_IN_USE when a container has it, STORE_UNREACHABLE
 */
export async function reserve(desk: Desk, ledger: Ledger, address: IpAddress): Promise<void> {
  const { pool } = ledger
  if (ledger.reserved.has(address) && ledger.states.get(address) === undefined) return
  const wasThere = await desk.turns.take('pools', () =>
    setReserved(desk, pool, { address, to: true }),
  )
  const problem = wasThere ? undefined : await keepFree(desk, ledger, address)
  if (problem === undefined) {
    ledger.reserved.add(address)
    await desk.book.save(ledger)
    return
  }
  await desk.turns.take('pools', () => setReserved(desk, pool, { address, to: false }))
  throw addressInUse(address, formatPrefix(pool.subnet), problem)
}

/** Looks for the owner only now that the reservation can be read: see `own` in grow.ts. */
async function keepFree(
  desk: Desk,
  ledger: Ledger,
  address: IpAddress,
): Promise<string | undefined> {
  const { store, self, peers } = desk
  const { pool } = ledger
  const state = ledger.states.get(address)
  if (state !== undefined && state.kind !== 'resting') return 'a container of this host has it'
  const id = blockOf(pool, address)
  const part =
    id === undefined ? undefined : await store.read(blocks.key({ pool: pool.id, part: id }))
  const owner = part === undefined ? undefined : blocks.decode(part.text)?.owner
  if (owner === undefined || owner === null || owner === self) return undefined
  const reply = await peers.help(owner, {
    pool: pool.id,
    borrower: self,
    want: 'reserve',
    address,
    urgent: true,
  })
  return reply.kind === 'none' ? reply.reason : undefined
}

/** @returns whether it was so before. */
async function setReserved(
  desk: Desk,
  pool: Pool,
  { address, to }: { readonly address: IpAddress; readonly to: boolean },
): Promise<boolean> {
  let before = to
  await changePools(desk, async (seen) => {
    const record = seen.record(pool)
    const reserved = new Set(record?.value.reserved)
    before = reserved.has(address)
    if (before === to) return { pool, writes: [] }
    if (to) reserved.add(address)
    else reserved.delete(address)
    const text = pools.encode({ id: pool.id, reserved: [...reserved] })
    const expected = record?.revision ?? 0n
    return { pool, writes: [{ kind: 'put', key: pools.key(pool.id), text, expected }] }
  })
  return before
}
