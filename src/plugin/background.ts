/**
 * What a plugin does besides answering Docker: it says that it is there, and finds out what Docker has
 * not told it.
 */

import type { RouterApi } from '../control/api.ts'
import type { Engine } from '../docker/engine.ts'
import type { Scope } from '../docker/remote-driver.ts'
import type { Wakeup } from '../reconcile/wakeup.ts'
import type { Environment } from '../settings/paths.ts'
import { announce } from './announce.ts'
import { buryNetworks } from './driver.ts'
import { lookAtEngine } from './engine-look.ts'
import type { Compared } from './engine-look.ts'
import { createFreedSearch } from './freed.ts'
import { createLeakSearch } from './leaks.ts'
import type { Logger } from './log.ts'
import type { Memory } from './memory.ts'
import { searchOrphans } from './orphans.ts'

/** What a test may shorten through the environment. */
const searchDefaults = { WEAVE_ORPHAN_INTERVAL_MS: 60_000, WEAVE_ORPHAN_AGE_MS: 120_000 }

export interface Tidying {
  readonly router: RouterApi
  readonly engine: Engine
  readonly memory: Memory
  readonly scope: Scope
  readonly env: Environment
  readonly log: Logger
  readonly driverName: string
  /** Rung when what is remembered of Docker's networks may not be true. */
  readonly bell: Wakeup
}

/** Ends with the signal; never throws. */
export async function workInBackground(tidying: Tidying, signal: AbortSignal): Promise<void> {
  const { router, memory, scope, log } = tidying
  const look = {
    ...tidying,
    bury: () => buryNetworks({ router, memory, scope, signal }),
    onChanged(change: Compared) {
      const { learned, vanished } = change
      log.warn({ learned, vanished }, 'Docker has other networks than it told us of')
    },
  }
  await Promise.all([
    keepTidy(signal, tidying),
    announce(tidying, signal),
    scope === 'local' ? lookAtEngine(look, signal) : undefined,
  ])
}

/** Removes what Docker has forgotten to tell us of, now and then. */
function keepTidy(
  signal: AbortSignal,
  { router, engine, memory, scope, env, log }: Tidying,
): Promise<void> {
  const minAgeMs = milliseconds(env, 'WEAVE_ORPHAN_AGE_MS')
  const searchLeaks = createLeakSearch({
    router,
    engine,
    minAgeMs,
    onFound: (what) => {
      log.warn({ what }, 'gave back what Docker had lost')
    },
  })
  const searchFreed = createFreedSearch({
    router,
    engine,
    onFound: (network) => {
      log.warn({ network }, 'removed a network that the swarm has removed')
    },
  })
  return searchOrphans({
    router,
    engine,
    signal,
    intervalMs: milliseconds(env, 'WEAVE_ORPHAN_INTERVAL_MS'),
    minAgeMs,
    alongside: [
      () => buryNetworks({ router, memory, scope, signal }),
      () => searchLeaks(signal),
      () => searchFreed(signal),
    ],
    onRemoved: (endpoint) => {
      log.warn({ endpoint }, 'removed an endpoint whose container is gone')
    },
    onFailed: (error) => {
      log.debug({ reason: String(error) }, 'could not tidy up')
    },
  })
}

function milliseconds(env: Environment, name: keyof typeof searchDefaults): number {
  const value = Number(env[name])
  return Number.isInteger(value) && value > 0 ? value : searchDefaults[name]
}
