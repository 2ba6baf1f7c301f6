/**
 * Keeps the router of a managed plugin running, and knows why when there is none.
 *
 * dockerd ends a plugin that does not listen within seconds, but a router may have to wait: for the
 * swarm, for a peer, for a port. So the plugin answers first, and calls that need the router fail
 * with the reason that is kept here.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '../model/fault.ts'
import type { Logger } from '../router/log.ts'
import type { Prepared } from '../router/prepare.ts'
import { runRouter } from '../router/router.ts'
import type { Paths } from '../settings/paths.ts'

export interface Keeping {
  /** Resolves once this node belongs to a cluster. */
  readonly enter: (onWait: (fault: Fault) => void) => Promise<Prepared>
  readonly paths: Paths
  readonly log: Logger
  readonly signal: AbortSignal
  /** Told whenever it changes; undefined while a router runs. */
  readonly onObstacle: (fault: Fault | undefined) => void
}

const retryMs = 3000
/** The same reason is logged again after so long. */
const remindMs = 60_000

/** Resolves after `signal`. @throws bugs, which are nothing to go on from. */
export async function keepRouter(keeping: Keeping): Promise<void> {
  const { enter, signal, onObstacle } = keeping
  const note = createReminder(keeping)
  while (!signal.aborted) {
    try {
      const prepared = await enter(note)
      onObstacle(undefined)
      await runOnce(prepared, keeping)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof Fault)) throw error
      note(error)
    }
    await sleep(retryMs, undefined, { signal }).catch(() => {})
  }
}

async function runOnce(prepared: Prepared, { paths, log, signal }: Keeping): Promise<void> {
  const ending = new AbortController()
  function end(): void {
    ending.abort()
  }
  signal.addEventListener('abort', end)
  try {
    for (const warning of prepared.warnings) log.warn(warning)
    await runRouter({ prepared, paths, log, ending, runAs: 'plugin' })
  } finally {
    signal.removeEventListener('abort', end)
  }
}

function createReminder({ log, onObstacle }: Keeping): (fault: Fault) => void {
  let last = ''
  let lastMs = -Infinity
  return (fault) => {
    onObstacle(fault)
    const text = fault.message
    if (text === last && performance.now() - lastMs < remindMs) return
    last = text
    lastMs = performance.now()
    log.warn({ code: fault.code, remedy: fault.remedy }, text)
  }
}
