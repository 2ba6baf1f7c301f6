/**
 * Keeps what this host remembers of networks in step with what the cluster knows.
 *
 * Docker tells one host only that a network is gone. The others learn it from the store: a network
 * that had been published and is not there any more was removed by somebody, unless containers of
 * ours still use it, in which case the publication makes it anew.
 *
 * A store that lost its data does not look like that: its records are held in the view until hosts
 * have published again (see `store/view.ts`).
 */

import type { NetworkId } from '../model/cluster.ts'
import { oneByOne } from '../reconcile/reconcile.ts'
import type { Target } from '../reconcile/reconcile.ts'
import type { Facts, KnownNetwork } from './facts.ts'

export type MemoryStep =
  | { readonly kind: 'note-published'; readonly network: KnownNetwork }
  | { readonly kind: 'forget'; readonly id: NetworkId }

interface Remembered {
  readonly networks: readonly KnownNetwork[]
  readonly inUse: ReadonlySet<NetworkId>
}

export function memoryTarget(
  facts: Facts,
  inCluster: () => Promise<ReadonlySet<NetworkId>>,
): Target<ReadonlySet<NetworkId>, Remembered, MemoryStep> {
  return {
    name: 'memory',
    desired: inCluster,
    observe: async () => ({
      networks: [...facts.networks.values()],
      inUse: new Set([...facts.endpoints.values()].map(({ network }) => network)),
    }),
    plan: planMemory,
    apply: oneByOne((step) =>
      step.kind === 'forget'
        ? facts.deleteNetwork(step.id)
        : facts.setNetwork({ ...step.network, published: true }),
    ),
  }
}

export function planMemory(
  inCluster: ReadonlySet<NetworkId>,
  { networks, inUse }: Remembered,
): readonly MemoryStep[] {
  return networks.flatMap((network): MemoryStep[] => {
    const { id, removed, published } = network
    const known = inCluster.has(id)
    if (removed === true) return known ? [] : [{ kind: 'forget', id }]
    if (known) return published === true ? [] : [{ kind: 'note-published', network }]
    return published === true && !inUse.has(id) ? [{ kind: 'forget', id }] : []
  })
}
