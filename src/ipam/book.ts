/**
 * All ledgers of this host, in memory and on its disk.
 *
 * Many containers start at once, and each may go on only when its address is on the disk. So whoever
 * asks while a ledger is being written shares the next write with everybody else who does.
 */

import type { Pool, PoolId } from '../model/pool.ts'
import { encodeLedger } from './ledger-text.ts'
import { createLedger } from './ledger.ts'
import type { Ledger } from './ledger.ts'

export interface LedgerDisk {
  /** Resolves when it would survive a power cut. */
  readonly save: (id: PoolId, text: string) => Promise<void>
  /** Unknown is no error. */
  readonly remove: (id: PoolId) => Promise<void>
}

export interface Book {
  readonly all: () => readonly Ledger[]
  readonly find: (id: PoolId) => Ledger | undefined
  /** A new one, that is on no disk yet, when there is none. */
  readonly open: (pool: Pool) => Ledger
  /** Resolves when the ledger as it is now is on the disk. */
  readonly save: (ledger: Ledger) => Promise<void>
  readonly remove: (id: PoolId) => Promise<void>
}

interface Line {
  active: Promise<void>
  next: Promise<void> | undefined
}

export function createBook(stored: Iterable<Ledger>, disk: LedgerDisk): Book {
  const ledgers = new Map<PoolId, Ledger>([...stored].map((ledger) => [ledger.pool.id, ledger]))
  const lines = new Map<PoolId, Line>()

  async function writeAfter(line: Line, ledger: Ledger): Promise<void> {
    await line.active
    line.next = undefined
    const written = disk.save(ledger.pool.id, encodeLedger(ledger))
    line.active = written.catch(() => {})
    await written
  }

  return {
    all: () => [...ledgers.values()],
    find: (id) => ledgers.get(id),
    open(pool) {
      const ledger = ledgers.get(pool.id) ?? createLedger(pool)
      ledgers.set(pool.id, ledger)
      return ledger
    },
    save(ledger) {
      const line = lines.get(ledger.pool.id) ?? { active: Promise.resolve(), next: undefined }
      lines.set(ledger.pool.id, line)
      line.next ??= writeAfter(line, ledger)
      return line.next
    },
    async remove(id) {
      ledgers.delete(id)
      const line = lines.get(id)
      lines.delete(id)
      await line?.next?.catch(() => {})
      await line?.active
      await disk.remove(id)
    },
  }
}
