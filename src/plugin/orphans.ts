/**
 * Finds endpoints whose container is gone, and removes them.
 *
 * Docker tells us of an end once and never again: not when we were away, not when its reply was
 * lost, not after a crash. So what the router holds is compared with what the engine runs.
 *
 * The trap is a container that is just being started: the endpoint is there before any container
 * claims it. One is removed only if nobody claimed it in two looks in a row, and if it has not
 * changed for a while. A look that fails at either side is no look.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { RouterApi } from '../control/api.ts'
import type { Status } from '../control/messages.ts'
import type { Engine } from '../docker/engine.ts'
import type { EndpointId } from '../model/cluster.ts'

export interface Look {
  readonly endpoints: Status['endpoints']
  /** Endpoint IDs that the engine's containers have. */
  readonly claimed: ReadonlySet<string>
  /** What the look before found unclaimed. */
  readonly suspects: ReadonlySet<EndpointId>
  readonly nowMs: number
  readonly minAgeMs: number
}

export interface Findings {
  readonly orphans: readonly EndpointId[]
  /** For the next look. */
  readonly suspects: ReadonlySet<EndpointId>
}

export function findOrphans({ endpoints, claimed, suspects, nowMs, minAgeMs }: Look): Findings {
  const unclaimed = endpoints.filter(({ id, local }) => local && !claimed.has(id))
  const orphans = unclaimed.filter(
    ({ id, since }) => suspects.has(id) && isOlder(since, nowMs - minAgeMs),
  )
  return {
    orphans: orphans.map(({ id }) => id),
    suspects: new Set(unclaimed.map(({ id }) => id)),
  }
}

/** Of unknown age is not old. */
function isOlder(since: string | undefined, thanMs: number): boolean {
  const sinceMs = Date.parse(since ?? '')
  return Number.isFinite(sinceMs) && sinceMs < thanMs
}

export interface OrphanSearch {
  readonly router: RouterApi
  readonly engine: Pick<Engine, 'containers'>
  readonly signal: AbortSignal
  readonly intervalMs: number
  readonly minAgeMs: number
  /** Other work for the same rhythm; an error is reported and keeps nothing else from its turn. */
  readonly alongside: readonly (() => Promise<void>)[]
  readonly onRemoved: (id: EndpointId) => void
  readonly onFailed: (error: unknown) => void
}

/** The first look is early, so that what a restart left behind is gone soon. */
const firstLookMs = 5000

/** Goes on until the signal aborts; never throws. */
export async function searchOrphans(search: OrphanSearch): Promise<void> {
  const { signal, intervalMs, alongside, onFailed } = search
  let suspects: ReadonlySet<EndpointId> = new Set()
  await pause(Math.min(firstLookMs, intervalMs), signal)
  while (!signal.aborted) {
    for (const part of alongside) await part().catch(onFailed)
    try {
      suspects = await look(search, suspects)
    } catch (error) {
      // What was seen before a gap may have changed in it.
      suspects = new Set()
      onFailed(error)
    }
    await pause(intervalMs, signal)
  }
}

async function look(
  { router, engine, signal, minAgeMs, onRemoved }: OrphanSearch,
  suspects: ReadonlySet<EndpointId>,
): Promise<ReadonlySet<EndpointId>> {
  // The router first: what is created in between is then not seen at all.
  const { endpoints } = await router.status({ signal })
  const containers = await engine.containers({ signal })
  const claimed = new Set(
    containers.flatMap(({ attachments }) => attachments.map(({ endpointId }) => endpointId)),
  )
  const found = findOrphans({ endpoints, claimed, suspects, nowMs: Date.now(), minAgeMs })
  for (const id of found.orphans) {
    await router.deleteEndpoint(id, { signal })
    onRemoved(id)
  }
  return found.suspects
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
