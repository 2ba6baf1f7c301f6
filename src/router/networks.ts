/**
 * The networks that this host uses: found in its own memory, else in the cluster's, else made new.
 *
 * A host may be asked to attach a container to a network that it was never told to create: with a
 * cluster store Docker says so on one host only. So every way leads through `ensure`.
 */

import type { NetworkSpec } from '../control/messages.ts'
import type { Network, NetworkId } from '../model/cluster.ts'
import type { Turns } from '../reconcile/turns.ts'
import type { Facts, KnownNetwork } from './facts.ts'

export interface Networks {
  /** Makes or updates a network as somebody asked for it. */
  readonly put: (id: NetworkId, spec: NetworkSpec) => Promise<KnownNetwork>
  /** For an endpoint: whatever is known of the network, or a new one about which nothing is. */
  readonly ensure: (id: NetworkId) => Promise<KnownNetwork>
  /** Unknown is no error. Records in the store go when the publication comes round to it. */
  readonly remove: (id: NetworkId) => Promise<void>
}

export interface NetworkSources {
  readonly facts: Facts
  readonly turns: Turns
  /** What the cluster says of a network; undefined when nothing, or when nobody can tell. */
  readonly published: (id: NetworkId) => Network | undefined
  /** Claims a VNI in the store; the winner's record when somebody else was first. */
  readonly allocate: (wanted: Omit<Network, 'vni'>) => Promise<Network>
}

const unspecified: NetworkSpec = { subnets: [], multicast: false }

export function createNetworks({ facts, turns, published, allocate }: NetworkSources): Networks {
  async function find(id: NetworkId, spec: NetworkSpec): Promise<KnownNetwork> {
    const known = facts.networks.get(id)
    if (known !== undefined && known.removed !== true) return known
    const network = published(id) ?? known ?? (await allocate({ id, ...spec }))
    const { removed: _removed, published: _published, ...alive }: KnownNetwork = network
    await facts.setNetwork(alive)
    return alive
  }

  return {
    put: (id, spec) =>
      turns.take(id, async () => {
        const network = await find(id, spec)
        const updated = { ...network, ...spec }
        if (JSON.stringify(updated) === JSON.stringify(network)) return network
        await facts.setNetwork(updated)
        return updated
      }),
    ensure: (id) => turns.take(id, () => find(id, unspecified)),
    remove: (id) =>
      turns.take(id, async () => {
        const known = facts.networks.get(id) ?? published(id)
        if (known !== undefined) await facts.setNetwork({ ...known, removed: true })
      }),
  }
}
