/**
 * Keeps what this host remembers of networks in step with what the cluster knows.
 *
 * Docker tells one host only that a network is gone. The others learn it from the store: a network
 * that had been published and is not there any more was removed by somebody, unless containers of
 * ours still use it, or our engine still has it (local scope: each has its own), in which case the
 * publication makes it anew.
 *
 * A store that lost its data does not look like that: its records are held in the view until hosts
 * have published again (see `store/view.ts`).
 *
 * The other way round, a network that containers here use but whose file was lost is recalled from
 * the cluster.
 */

import type { NetworkId } from '../model/cluster.ts'
import { oneByOne } from '../reconcile/reconcile.ts'
import type { Target } from '../reconcile/reconcile.ts'
import type { Cluster } from './cluster.ts'
import type { Facts, KnownNetwork } from './facts.ts'

export type MemoryStep =
  | { readonly kind: 'note-published'; readonly network: KnownNetwork }
  | { readonly kind: 'forget'; readonly id: NetworkId }
  | { readonly kind: 'recall'; readonly id: NetworkId }

interface Remembered {
  readonly networks: readonly KnownNetwork[]
  readonly inUse: ReadonlySet<NetworkId>
  readonly kept: ReadonlySet<NetworkId>
}

export function memoryTarget(
  facts: Facts,
  {
    cluster,
    kept,
  }: {
    readonly cluster: Pick<Cluster, 'network' | 'networkIds'>
    /** Docker has them here, with or without a container. */
    readonly kept: () => ReadonlySet<NetworkId>
  },
): Target<ReadonlySet<NetworkId>, Remembered, MemoryStep> {
  async function apply(step: MemoryStep): Promise<void> {
    switch (step.kind) {
      case 'forget':
        return facts.deleteNetwork(step.id)
      case 'note-published':
        return facts.setNetwork({ ...step.network, published: true })
      case 'recall': {
        const network = cluster.network(step.id)
        if (network !== undefined) await facts.setNetwork({ ...network, published: true })
      }
    }
  }
  return {
    name: 'memory',
    desired: async () => cluster.networkIds(),
    observe: async () => ({
      networks: [...facts.networks.values()],
      inUse: new Set([...facts.endpoints.values()].map(({ network }) => network)),
      kept: kept(),
    }),
    plan: planMemory,
    apply: oneByOne(apply),
  }
}

export function planMemory(
  inCluster: ReadonlySet<NetworkId>,
  { networks, inUse, kept }: Remembered,
): readonly MemoryStep[] {
  const remembered = new Set(networks.map(({ id }) => id))
  const needed = new Set([...inUse, ...kept])
  const lost = [...inUse].filter((id) => !remembered.has(id) && inCluster.has(id))
  return [
    ...lost.map((id) => ({ kind: 'recall', id }) as const),
    ...networks.flatMap((network) => planNetwork(network, { inCluster, needed })),
  ]
}

function planNetwork(
  network: KnownNetwork,
  sets: { readonly inCluster: ReadonlySet<NetworkId>; readonly needed: ReadonlySet<NetworkId> },
): readonly MemoryStep[] {
  const { id, removed, published } = network
  const known = sets.inCluster.has(id)
  // The publication forgets it once its records are gone.
  if (removed === true) return []
  if (known) return published === true ? [] : [{ kind: 'note-published', network }]
  return published === true && !sets.needed.has(id) ? [{ kind: 'forget', id }] : []
}
