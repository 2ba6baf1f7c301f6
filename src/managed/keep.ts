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
import { forgetMembership } from '../router/membership.ts'
import type { Prepared } from '../router/prepare.ts'
import { runRouter } from '../router/router.ts'
import type { Paths } from '../settings/paths.ts'

export interface Keeping {
  /** Resolves once this node belongs to a cluster. */
  readonly enter: (onWait: (fault: Fault) => void) => Promise<Prepared>
  /** Resolves with true once this node is to leave its cluster for another one. */
  readonly shouldMove: (signal: AbortSignal, onTorn: (fault: Fault) => void) => Promise<boolean>
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
      if (await runOnce(prepared, { ...keeping, note })) await move(keeping)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof Fault)) throw error
      note(error)
    }
    await sleep(retryMs, undefined, { signal }).catch(() => {})
  }
}

interface Run extends Keeping {
  readonly note: (fault: Fault) => void
}

/** Resolves when the router has ended; with true when it was for another cluster. */
async function runOnce(prepared: Prepared, run: Run): Promise<boolean> {
  const { paths, log, signal } = run
  const ending = new AbortController()
  function end(): void {
    ending.abort()
  }
  signal.addEventListener('abort', end)
  try {
    for (const warning of prepared.warnings) log.warn(warning)
    const moving = run.shouldMove(ending.signal, run.note).then((isMoving) => {
      if (isMoving) end()
      return isMoving
    })
    await runRouter({ prepared, paths, log, ending, runAs: 'plugin' })
    return await moving
  } finally {
    end()
    signal.removeEventListener('abort', end)
  }
}

async function move({ paths, log }: Keeping): Promise<void> {
  log.warn('the swarm is in another cluster: leaving the one that this node was in')
  await forgetMembership(paths)
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
