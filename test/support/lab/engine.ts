/**
 * Which Docker engines can a host of the lab run, and what does each need?
 *
 * 20.10 is Debian 12's own and runs on the computer's own /usr. Later ones come from later Debian
 * releases: a root file system made once by mmdebstrap and kept under build/.
 */

export type EngineName = '20.10'

export interface Engine {
  readonly name: EngineName
  /** The root file system that has it; made on first use where it is not the computer's own. */
  readonly system: () => Promise<string>
  /** Whether it can share networks through a cluster store (`--cluster-store`, until 20.10). */
  readonly clusterStore: boolean
}

export const engines: Readonly<Record<EngineName, Engine>> = {
  '20.10': { name: '20.10', system: () => Promise.resolve('/'), clusterStore: true },
}
