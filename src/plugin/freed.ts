/**
 * Finds networks that the swarm has removed, but that still stand in the store, and removes them.
 *
 * The swarm says so once, to the plugin of the manager that leads: it may be away just then. And a node
 * whose last container is still ending at that moment publishes the network anew, since it uses it.
 *
 * Only a manager's engine knows all networks of the swarm; a worker's knows those that it uses. As with
 * orphans, a network counts as removed when it is missing in two looks in a row.
 */

import type { RouterApi } from '../control/api.ts'
import type { Status } from '../control/messages.ts'
import type { Engine } from '../docker/engine.ts'
import { isSwarmId } from '../docker/swarm-id.ts'
import type { NetworkId } from '../model/cluster.ts'

function findFreed(
  { networks, endpoints }: Pick<Status, 'networks' | 'endpoints'>,
  inSwarm: ReadonlySet<string>,
): readonly NetworkId[] {
  const inUse = new Set(endpoints.map(({ network }) => network))
  return networks
    .map(({ id }) => id)
    .filter((id) => isSwarmId(id) && !inSwarm.has(id) && !inUse.has(id))
}

export interface FreedSearch {
  readonly router: Pick<RouterApi, 'status' | 'deleteNetwork'>
  readonly engine: Pick<Engine, 'info' | 'networks'>
  readonly onFound: (network: NetworkId) => void
}

/** Returns one look, to be taken now and then. A look that fails is no look. */
export function createFreedSearch({
  router,
  engine,
  onFound,
}: FreedSearch): (signal: AbortSignal) => Promise<void> {
  let before: ReadonlySet<NetworkId> = new Set()
  return async (signal) => {
    const suspects = before
    before = new Set()
    const { swarm } = await engine.info({ signal })
    if (!swarm.isManager) return
    // The router first: a network that is made in between is then not seen at all.
    const status = await router.status({ signal })
    const networks = await engine.networks({ signal })
    const freed = findFreed(status, new Set(networks.map(({ id }) => id)))
    for (const id of freed.filter((one) => suspects.has(one))) {
      await router.deleteNetwork(id, { signal })
      onFound(id)
    }
    before = new Set(freed)
  }
}
