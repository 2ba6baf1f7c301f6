/**
 * Holds a lease for as long as the program runs: a lost one is replaced, for ever.
 *
 * What stood under a lost lease is gone; whoever published it is told of the new lease and publishes
 * again. A lease is not given up at the end, so that a quick restart finds everything in place.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseId, Store } from './store.ts'

export interface HeldLease {
  readonly current: () => LeaseId | undefined
  /** Removes it with all that stands under it, and takes no other. */
  readonly giveUp: () => Promise<void>
  readonly done: Promise<void>
}

export interface HeldLeaseOptions {
  readonly ttlSeconds: number
  readonly signal: AbortSignal
  /** There is another lease than before, or none. */
  readonly onChange: () => void
}

const firstPauseMs = 200
const maxPauseMs = 3000

export function holdLease(store: Store, options: HeldLeaseOptions): HeldLease {
  const { ttlSeconds, onChange } = options
  const leaving = new AbortController()
  const signal = AbortSignal.any([options.signal, leaving.signal])
  let current: LeaseId | undefined

  function set(lease: LeaseId | undefined): void {
    current = lease
    onChange()
  }

  async function hold(): Promise<void> {
    let pauseMs = firstPauseMs
    while (!signal.aborted) {
      const lease = await store.grantLease(ttlSeconds).catch(() => {})
      if (lease !== undefined) {
        pauseMs = firstPauseMs
        set(lease)
        if ((await store.keepLease(lease, signal)) === 'aborted') return
        set(undefined)
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
      pauseMs = Math.min(pauseMs * 2, maxPauseMs)
    }
  }

  const done = hold()
  return {
    current: () => current,
    async giveUp() {
      leaving.abort()
      await done
      if (current !== undefined) await store.revokeLease(current)
      set(undefined)
    },
    done,
  }
}
