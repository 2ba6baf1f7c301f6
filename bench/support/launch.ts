/**
 * How do the benchmarks put weave on hosts? As plain processes: containers of our own would be counted
 * with the ones that are measured.
 */

import type { EngineName } from '../../test/support/lab/engine.ts'
import { createLab, ok } from '../../test/support/lab/lab.ts'
import type { Host, Lab } from '../../test/support/lab/lab.ts'

/** The first one founds the cluster. @param flags of `weave launch`, by host. */
export async function launchWeave(
  hosts: readonly Host[],
  flags: (host: Host) => readonly string[] = () => [],
): Promise<void> {
  const [first] = hosts
  for (const host of hosts) {
    const peers = host === first || first === undefined ? [] : [first.name]
    await ok(host.weave('launch', '--run-as=process', ...flags(host), ...peers))
  }
  await Promise.all(hosts.map((host) => ok(host.weave('launch-plugin', '--run-as=process'))))
}

/** Those that have no cluster store any more. */
export const enginesOfToday: readonly EngineName[] = ['26.1', '28.5']

export interface LocalLabOptions {
  readonly engine: EngineName
  readonly prefix: string | undefined
  readonly hosts?: 2 | 3
  readonly flags?: (host: Host) => readonly string[]
}

/** Hosts with such an engine, and weave on them. */
export async function createLocalLab(options: LocalLabOptions): Promise<Lab> {
  const { engine, prefix, hosts = 2, flags } = options
  const lab = await createLab({ hosts, engine, store: 'none', ...(prefix && { prefix }) })
  try {
    await launchWeave(lab.hosts, flags)
    return lab
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}
