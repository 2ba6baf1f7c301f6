/**
 * How this node comes to its cluster, and what it remembers of it afterwards.
 *
 * A node that has been in a cluster resumes with what is on its disk, asking nobody: at a boot the
 * plugin runs before Docker answers, and its peers may be away. Only a node without membership looks
 * around, again and again, until `decide` lets it join or found one.
 */

import { readIfPresent, writeDurably } from '../disk/file.ts'
import type { Engine } from '../docker/engine.ts'
import { Fault } from '../model/fault.ts'
import type { Wakeup } from '../reconcile/wakeup.ts'
import type { Logger } from '../router/log.ts'
import { readMembership } from '../router/membership.ts'
import { prepare, resume } from '../router/prepare.ts'
import type { Prepared } from '../router/prepare.ts'
import type { LaunchSettings } from '../settings/launch.ts'
import type { Paths } from '../settings/paths.ts'
import { formatStoredSettings, parseStoredSettings } from '../settings/stored.ts'
import { decide } from './decide.ts'
import { look } from './look.ts'
import type { Sight } from './look.ts'
import type { Nodes } from './nodes.ts'
import { claim } from './note.ts'

export interface Entry {
  readonly settings: LaunchSettings
  readonly paths: Paths
  readonly engine: Engine
  readonly nodes: Nodes
  readonly log: Logger
  readonly signal: AbortSignal
  /** Rung when there may be somebody new to ask. */
  readonly bell: Wakeup
  readonly onWait: (fault: Fault) => void
}

const lookAgainMs = 1000

/** @throws faults of `prepare`; the signal's reason. */
export async function enter(entry: Entry): Promise<Prepared> {
  const { settings, paths } = entry
  if (await isMember(entry)) return resumeWith(settings, paths)
  const isTold = settings.peers.length > 0 || settings.clusterStore !== undefined
  if (isTold) await prepare(settings, paths)
  else await enterWithSwarm(entry)
  return resumeWith(settings, paths)
}

/** Not when the user has named another cluster since. */
async function isMember({ settings, paths }: Entry): Promise<boolean> {
  const { value: membership } = await readMembership(paths)
  if (membership === undefined) return false
  const { peers, clusterStore } = settings
  if (peers.length === 0 && clusterStore === undefined) return true
  const stored = parseStoredSettings((await readIfPresent(paths.settingsFile)) ?? '')
  if (stored.kind === 'broken') return false
  return sameText([peers, clusterStore], [stored.settings.peers, stored.settings.clusterStore])
}

/**
 * What the plugin is told now goes before what it was told then; whom it asked then is kept. Written
 * down, because while the plugin is replaced another router stands in, which reads it.
 */
async function resumeWith(now: LaunchSettings, paths: Paths): Promise<Prepared> {
  const prepared = await resume(paths)
  const settings = { ...now, peers: prepared.settings.peers }
  const text = formatStoredSettings(settings)
  if (text !== formatStoredSettings(prepared.settings)) await writeDurably(paths.settingsFile, text)
  return { ...prepared, settings }
}

async function enterWithSwarm(entry: Entry): Promise<void> {
  const { bell, signal, onWait } = entry
  for (;;) {
    signal.throwIfAborted()
    try {
      if (await advance(await look(entry), entry)) return
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      onWait(error)
    }
    await bell.wait(lookAgainMs, signal)
  }
}

/** One step; true once this node belongs to a cluster. */
async function advance(sight: Sight, entry: Entry): Promise<boolean> {
  const { paths, engine, log, signal, onWait } = entry
  const settings = sight.settings
  const next = decide(sight)
  switch (next.kind) {
    case 'wait':
      onWait(next.fault)
      return false
    case 'join': {
      const { via } = await prepare({ ...settings, peers: [...next.peers] }, paths)
      log.info({ via, peers: next.peers }, 'joined the cluster of the swarm')
      return true
    }
    case 'claim':
      if (await claim(sight, engine, signal))
        log.info('nobody has founded a cluster: this node does')
      return false
    case 'retract':
      log.warn({ founder: next.note.founding.founder }, 'the founder is no node of the swarm now')
      await engine.swarm.remove(next.note.id, signal)
      return false
    case 'found': {
      await prepare(settings, paths, next.cluster)
      log.info({ cluster: next.cluster }, 'founded the cluster of the swarm')
      return true
    }
  }
}

function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
