/**
 * What a managed plugin may be told with `docker plugin set weave NAME=VALUE`.
 *
 * Each variable stands for a flag of `weave launch` and is read by the very code that reads the flag.
 * An empty one is as good as none, because Docker lists every variable of a plugin with some value.
 */

import { Fault } from '../model/fault.ts'
import { badPluginSetting } from '../model/faults.ts'
import { readLaunchOptions } from './launch.ts'
import type { LaunchSettings } from './launch.ts'
import type { Environment } from './paths.ts'

interface ManagedVariable {
  readonly name: string
  readonly description: string
  /** As commander would hand over the flag; none for the peers, which are no flag. */
  readonly key?: string
}

export const managedVariables: readonly ManagedVariable[] = [
  {
    name: 'WEAVE_PEERS',
    description: 'hosts of a running cluster to join, with spaces between (default: the swarm)',
  },
  {
    name: 'WEAVE_CLUSTER_STORE',
    description: 'etcd to use, etcd://HOST:PORT[,HOST:PORT…][/PREFIX] (default: a managed one)',
    key: 'clusterStore',
  },
  {
    name: 'WEAVE_ADVERTISE',
    description: 'IP address on which other hosts reach this one (default: as in the swarm)',
    key: 'advertise',
  },
  {
    name: 'WEAVE_NICKNAME',
    description: "this host's name for people (default: its host name)",
    key: 'nickname',
  },
  {
    name: 'WEAVE_PORT',
    description: 'first of four ports, the same on all nodes (default: 6783)',
    key: 'port',
  },
  {
    name: 'WEAVE_MTU',
    description: "MTU of containers' interfaces (default: what the underlay carries)",
    key: 'mtu',
  },
  {
    name: 'WEAVE_LOG_LEVEL',
    description: 'debug, info, warning, error (default: info)',
    key: 'logLevel',
  },
]

/** @throws BAD_PLUGIN_SETTING that names the variable. */
export function readManagedSettings(env: Environment): LaunchSettings {
  const flags: Record<string, string> = {}
  let peers: readonly string[] = []
  for (const { name, key } of managedVariables) {
    const value = env[name]?.trim() ?? ''
    if (value === '') continue
    const words = key === undefined ? value.split(/[\s,]+/).filter((word) => word !== '') : []
    check(name, value, () => readLaunchOptions(key === undefined ? {} : { [key]: value }, words))
    if (key === undefined) peers = words
    else flags[key] = value
  }
  return readLaunchOptions(flags, peers)
}

function check(name: string, value: string, read: () => unknown): void {
  try {
    read()
  } catch (error) {
    throw error instanceof Fault ? badPluginSetting(name, value, error.remedy) : error
  }
}
