/**
 * Is this node still in the cluster of its swarm?
 *
 * A node that leaves one swarm for another has the cluster of the old one on its disk, and resumes with
 * it: its containers would be alone on a network that looks as it should. So a running node looks around
 * now and then, and moves as soon as none of its containers is on a network any more. That is when it
 * has just changed swarms, too: Docker takes the containers off the old one's networks.
 *
 * Only those who know may say so: the founding note, or for a worker the managers, if they agree.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { createRouterClient } from '../control/client.ts'
import type { Engine } from '../docker/engine.ts'
import type { Fault } from '../model/fault.ts'
import { swarmElsewhere } from '../model/faults.ts'
import { readMembership } from '../router/membership.ts'
import type { LaunchSettings } from '../settings/launch.ts'
import type { Paths } from '../settings/paths.ts'
import type { Asked } from './decide.ts'
import { askAll, managersOf } from './look.ts'
import { readNote } from './note.ts'

export interface Loyalty {
  readonly settings: LaunchSettings
  readonly engine: Engine
  readonly paths: Paths
  readonly signal: AbortSignal
  /** Told when this node should move, and cannot yet. */
  readonly onTorn: (fault: Fault) => void
}

const intervalMs = 15_000

/** Resolves with true when this node is to move, with false when the signal aborts. */
export async function shouldMove(loyalty: Loyalty): Promise<boolean> {
  const { settings, paths, signal, onTorn } = loyalty
  if (settings.peers.length > 0 || settings.clusterStore !== undefined) return false
  using router = createRouterClient({ socket: paths.routerSocket })
  while (!signal.aborted) {
    await sleep(intervalMs, undefined, { signal }).catch(() => {})
    const right = await clusterOfSwarm(loyalty).catch(() => undefined)
    const own = await ownCluster(paths).catch(() => undefined)
    if (own === undefined || right === undefined || own === right) continue
    const status = await router.status({ signal }).catch(() => undefined)
    const endpoints = status?.endpoints.filter(({ local }) => local).length
    if (endpoints === 0) return true
    if (endpoints !== undefined) onTorn(swarmElsewhere({ own, right, endpoints }))
  }
  return false
}

async function ownCluster(paths: Paths): Promise<string | undefined> {
  return (await readMembership(paths)).value?.cluster
}

async function clusterOfSwarm(loyalty: Loyalty): Promise<string | undefined> {
  const { engine, settings, signal } = loyalty
  const { swarm } = await engine.info({ signal })
  if (swarm.state !== 'active') return undefined
  if (swarm.isManager) return (await readNote(engine, swarm, signal))?.founding.cluster
  return agreed(await askAll(managersOf(swarm, settings), signal))
}

/** Undefined when nobody answers, or not all with the same. */
export function agreed(asked: readonly Asked[]): string | undefined {
  const clusters = new Set(
    asked.flatMap(({ answer }) => ('cluster' in answer ? [answer.cluster] : [])),
  )
  return clusters.size === 1 ? [...clusters][0] : undefined
}
