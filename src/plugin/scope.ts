/**
 * Whether networks of this driver are the cluster's or the host's, decided once at the start.
 *
 * Docker asks once in its life and must be answered at once, so this cannot wait until the question
 * comes. And the plugin starts before Docker, so often there is no engine to look at: then the last
 * decision stands, and for the very first start Docker's own configuration is read.
 */

import { readFile } from 'node:fs/promises'
import type { EngineInfo } from '../docker/engine-messages.ts'
import type { Scope } from '../docker/remote-driver.ts'
import { isRecord } from '../model/cluster.ts'
import type { PluginScope } from '../settings/plugin.ts'

export interface ScopeClues {
  readonly asked: PluginScope
  /** What the engine said of itself; undefined when no engine answered. */
  readonly engine: Pick<EngineInfo, 'clusterStore' | 'swarm'> | undefined
  readonly remembered: Scope | undefined
  /** Texts in which a dockerd would be given a cluster store. */
  readonly configuration: readonly string[]
}

export interface ScopeDecision {
  readonly scope: Scope
  readonly reason: string
}

const storeSetting = /cluster-store["\s=\0:]+[a-z]+:\/\//

export function decideScope(clues: ScopeClues): ScopeDecision {
  const { asked, engine, remembered } = clues
  if (asked !== 'auto') return { scope: asked, reason: 'as asked for' }
  if (engine !== undefined) return decideByEngine(engine)
  if (remembered !== undefined) {
    return { scope: remembered, reason: 'no engine answers; as it was the last time' }
  }
  return clues.configuration.some((text) => storeSetting.test(text))
    ? { scope: 'global', reason: 'no engine answers; its configuration names a cluster store' }
    : { scope: 'local', reason: 'no engine answers, and nothing names a cluster store' }
}

/**
 * Swarm takes no driver on a socket, whatever its scope (`legacy plugin … is not supported in swarm
 * mode`), so on a member of one this plugin can only serve networks that are the host's own.
 */
function decideByEngine({ clusterStore, swarm }: NonNullable<ScopeClues['engine']>): ScopeDecision {
  if (swarm.state === 'active') {
    const remedy = 'networks of the swarm need the managed plugin: weave plugin-image'
    return { scope: 'local', reason: `the engine is in a swarm; ${remedy}` }
  }
  return clusterStore === ''
    ? { scope: 'local', reason: 'the engine has no cluster store' }
    : { scope: 'global', reason: `the engine has a cluster store: ${clusterStore}` }
}

export interface ConfigurationFiles {
  readonly pidFile: string
  readonly daemonFile: string
}

/** The command line of the dockerd that runs or starts, and its configuration file. */
export async function readDockerConfiguration(
  { pidFile, daemonFile }: ConfigurationFiles = {
    pidFile: '/var/run/docker.pid',
    daemonFile: '/etc/docker/daemon.json',
  },
): Promise<readonly string[]> {
  const pid = /^\d+$/.exec((await readText(pidFile)).trim())?.[0]
  const commandLine = pid === undefined ? '' : await readText(`/proc/${pid}/cmdline`)
  return [commandLine, clusterStoreOf(await readText(daemonFile))]
}

/** As it would stand on a command line; other settings of the file are none of ours. */
function clusterStoreOf(daemonJson: string): string {
  try {
    const settings: unknown = JSON.parse(daemonJson)
    const store = isRecord(settings) ? settings['cluster-store'] : undefined
    return typeof store === 'string' ? `cluster-store=${store}` : ''
  } catch {
    return ''
  }
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}
