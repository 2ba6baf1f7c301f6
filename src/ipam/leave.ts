/** What is to be written so that the store knows of no addresses of a host that is gone for good. */

import type { HostId } from '../model/cluster.ts'
import type { PoolId } from '../model/pool.ts'
import { blocks, holders, pools, singles } from '../store/schema.ts'
import type { StoreRecord, Write } from '../store/store.ts'

/**
 * A block of which single addresses are lent stays, without an owner: whoever claims it next leaves
 * those to the hosts that have them. A pool that nobody else holds goes.
 */
export function planLeave(records: readonly StoreRecord[], host: HostId): readonly Write[] {
  const held = new Set<PoolId>()
  for (const { key } of records) {
    const id = holders.id(key)
    if (id !== undefined && id.part !== host) held.add(id.pool)
  }
  return records.flatMap((record) => {
    const { key, revision: expected } = record
    if (isOwn(record, host)) return [leave(record)]
    const pool = pools.id(key)
    const isOver = pool !== undefined && pool.startsWith('local') && !held.has(pool)
    return isOver ? [{ kind: 'delete', key, expected } as const] : []
  })
}

function isOwn({ key, text }: StoreRecord, host: HostId): boolean {
  if (holders.id(key) !== undefined) return holders.id(key)?.part === host
  if (singles.id(key) !== undefined) return singles.decode(text)?.owner === host
  return blocks.id(key) !== undefined && blocks.decode(text)?.owner === host
}

function leave({ key, text, revision: expected }: StoreRecord): Write {
  const block = blocks.id(key) === undefined ? undefined : blocks.decode(text)
  if (block === undefined || Object.keys(block.lent).length === 0) {
    return { kind: 'delete', key, expected }
  }
  return { kind: 'put', key, text: blocks.encode({ ...block, owner: null }), expected }
}
