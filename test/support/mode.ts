/**
 * Which kinds of engine do the end-to-end scenarios run on, and what differs between them?
 *
 * The scenarios are the same files for all; whatever they cannot do alike is a field here, and nowhere
 * else. vitest.config.ts has one project for each mode and names it in the environment, so a script of one's
 * own can be run in a mode, too: `E2E_MODE=26.1 node --import tsx …`.
 */

import type { EngineName } from './lab/engine.ts'
import type { LabOptions } from './lab/lab.ts'

export interface Mode {
  readonly engine: EngineName
  readonly store: LabOptions['store']
  /** What `docker version` says of the engine. */
  readonly version: RegExp
  /** Of its networks, as the engine calls it. */
  readonly scope: 'global' | 'local'
  /** What `docker network create --driver=DRIVER` needs besides. */
  readonly createFlags: (driver: string) => readonly string[]
  /** What it needs for a network NAME whose containers get no address. */
  readonly bareFlags: (name: string) => readonly string[]
  /** Whether the first process of a container can rely on names: Docker joins it to its networks before it starts. */
  readonly answersAtOnce: boolean
  /** Whether a network can do without IPv4. */
  readonly ipv6Alone: boolean
}

/** Engines know nothing of each other: weave brings the store, the addresses, and spreads the networks. */
const local = {
  store: 'none',
  scope: 'local',
  createFlags: (driver: string) => [`--ipam-driver=${driver}`],
  bareFlags: (name: string) => ['--ipam-driver=null', '-o', `weave.network=${name}`],
  answersAtOnce: false,
  ipv6Alone: false,
} as const

export const modes: Readonly<Record<EngineName, Mode>> = {
  /** Docker shares networks, addresses and names by itself, through its cluster store. */
  '20.10': {
    engine: '20.10',
    version: /^20\.10\./,
    store: 'etcd-as-docker-cluster-store',
    scope: 'global',
    createFlags: () => [],
    bareFlags: () => ['--ipam-driver=null'],
    answersAtOnce: false,
    ipv6Alone: false,
  },
  '26.1': { engine: '26.1', version: /^26\.1\./, ...local },
  '28.5': { engine: '28.5', version: /^28\.5\./, ...local, answersAtOnce: true, ipv6Alone: true },
}

/** The mode that this run is in; 20.10 unless told. */
export function currentMode(): Mode {
  const name = process.env['E2E_MODE'] ?? '20.10'
  const mode = Object.values(modes).find(({ engine }) => engine === name)
  if (mode === undefined)
    throw new Error(`E2E_MODE=${name}, but known are ${Object.keys(modes).join(', ')}`)
  return mode
}
