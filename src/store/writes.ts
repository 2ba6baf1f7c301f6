/** What a transaction may hold, whatever store it goes to: mistakes in it are ours, not the store's. */

import type { Write } from './store.ts'

/** etcd takes 128 operations at a time unless told otherwise (--max-txn-ops). */
const maxWrites = 100

/** @throws Error for too many writes, or two of one key. */
export function checkWrites(writes: readonly Write[]): void {
  if (writes.length > maxWrites) throw new Error(`${writes.length} writes in one transaction`)
  const keys = new Set(writes.map(({ key }) => key))
  if (keys.size < writes.length) throw new Error('two writes of one key in one transaction')
}
