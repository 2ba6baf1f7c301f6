/**
 * A router that may be restarting just now: asked again for a few seconds before we say it is away.
 *
 * Only "nobody answers" is retried. Whatever a router says is final, and every call may be repeated.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { CallOptions, RouterApi } from '../control/api.ts'
import { Fault } from '../model/fault.ts'
import { routerNotRunning } from '../model/faults.ts'

export interface PatienceOptions {
  /** How long to go on trying. */
  readonly patienceMs: number
  readonly pauseMs?: number
  /** What is known of the reason; thrown in place of "nobody answers". */
  readonly whyAway?: () => Fault | undefined
}

/** The calls that containers wait for; the others are as impatient as before. */
export function withPatience(router: RouterApi, options: PatienceOptions): RouterApi {
  function patiently<T>(work: () => Promise<T>, { signal }: CallOptions): Promise<T> {
    return retry(work, { ...options, signal })
  }
  return {
    ...router,
    putNetwork: (id, spec, call) => patiently(() => router.putNetwork(id, spec, call), call),
    deleteNetwork: (id, call) => patiently(() => router.deleteNetwork(id, call), call),
    putEndpoint: (id, spec, call) => patiently(() => router.putEndpoint(id, spec, call), call),
    joinEndpoint: (id, spec, call) => patiently(() => router.joinEndpoint(id, spec, call), call),
    leaveEndpoint: (id, call) => patiently(() => router.leaveEndpoint(id, call), call),
    deleteEndpoint: (id, call) => patiently(() => router.deleteEndpoint(id, call), call),
    holdPool: (spec, call) => patiently(() => router.holdPool(spec, call), call),
    releasePool: (id, call) => patiently(() => router.releasePool(id, call), call),
    grantAddress: (pool, spec, call) =>
      patiently(() => router.grantAddress(pool, spec, call), call),
    releaseAddress: (pool, address, call) =>
      patiently(() => router.releaseAddress(pool, address, call), call),
  }
}

async function retry<T>(
  work: () => Promise<T>,
  { patienceMs, pauseMs = 100, whyAway, signal }: PatienceOptions & CallOptions,
): Promise<T> {
  const until = performance.now() + patienceMs
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const away = error instanceof Fault && error.code === routerNotRunning.code
      if (!away) throw error
      if (performance.now() + pauseMs > until) throw whyAway?.() ?? error
    }
    await sleep(pauseMs, undefined, { signal })
  }
}
