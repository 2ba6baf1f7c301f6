/**
 * The stage of all benchmarks: two Docker hosts with weave and Docker's own overlay side by side.
 *
 *     host 1  ═══════ one underlay ═══════  host 2
 *     weave-1 ──── network "weave" ──────── weave-2
 *     overlay-1 ── network "overlay" ────── overlay-2
 *
 * Same engines, same store, same kernel, same run: what differs between two figures is the network.
 */

import path from 'node:path'
import { addressOf } from '../../test/support/cluster.ts'
import { createLab, ok } from '../../test/support/lab/lab.ts'
import type { Host, Lab } from '../../test/support/lab/lab.ts'
import { launchWeave } from './launch.ts'

export interface Scene extends AsyncDisposable {
  readonly lab: Lab
  readonly host1: Host
  readonly host2: Host
  /** Host to host first: the others are compared with it. */
  readonly ways: readonly Way[]
}

/** One way from host 1 to host 2. */
export interface Way {
  readonly name: 'host' | 'weave' | 'overlay'
  /** Where the far end listens. */
  readonly target: string
  /** Runs a program at the near end. */
  readonly near: (command: readonly string[]) => Promise<string>
  /** Starts one that goes on at the far end. */
  readonly startFar: (command: readonly string[]) => Promise<void>
}

/** Our small programs, for hosts and containers under the same path. */
const programs = import.meta.dirname
export const mountPrograms = `--volume=${programs}:${programs}:ro`
export const talk = path.join(programs, 'talk.mjs')
export const lookups = path.join(programs, 'lookups.mjs')

export async function createScene(prefix: string | undefined): Promise<Scene> {
  const store = 'etcd-as-docker-cluster-store'
  const lab = await createLab({
    hosts: 2,
    engine: '20.10',
    store,
    ...(prefix === undefined ? {} : { prefix }),
  })
  try {
    await launchWeave(lab.hosts)
    const ways = [
      hostWay(lab),
      await containerWay(lab, 'weave'),
      await containerWay(lab, 'overlay'),
    ]
    const [host1, host2] = [lab.host(1), lab.host(2)]
    return { lab, host1, host2, ways, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() }
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

function hostWay(lab: Lab): Way {
  const [near, far] = [lab.host(1), lab.host(2)]
  return {
    name: 'host',
    target: far.ip,
    near: (command) => ok(near.run(command)),
    async startFar(command) {
      await far.start(`bench-${path.basename(command[0] ?? '')}`, command)
    },
  }
}

async function containerWay(lab: Lab, network: 'weave' | 'overlay'): Promise<Way> {
  const [near, far] = [lab.host(1), lab.host(2)]
  await ok(near.docker('network', 'create', `--driver=${network}`, network))
  await Promise.all([near, far].map((host) => stay(host, nameOn(host, network), network)))
  return {
    name: network,
    target: await addressOf(far, nameOn(far, network), network),
    near: (command) => ok(near.docker('exec', nameOn(near, network), ...command)),
    async startFar(command) {
      await ok(far.docker('exec', '-d', nameOn(far, network), ...command))
    },
  }
}

/** Of the container, such as `weave-1`. */
function nameOn(host: Host, network: string): string {
  return `${network}-${host.name.slice(-1)}`
}

/** Runs a container that stays and has our small programs. */
export async function stay(
  host: Host,
  name: string,
  network: string,
  ...flags: readonly string[]
): Promise<void> {
  const all = [`--name=${name}`, `--net=${network}`, ...flags, mountPrograms]
  await ok(host.docker('run', '-d', ...all, 'tools', 'sleep', '100000'))
}
