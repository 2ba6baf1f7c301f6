/**
 * Answers Docker's calls by asking the router: the translation between the two, and nothing else.
 *
 * Docker repeats calls, drops them, and sends them for things that we never heard of. Whatever it
 * says twice has the same result, and removing what is not there succeeds. An endpoint in a network
 * that was created on another host is the router's matter: it finds or makes the network.
 *
 * What happens to a network when Docker removes it depends on the scope. In local scope only this
 * host's engine has dropped it; others may still use it. In global scope it is gone everywhere, but
 * for the trap of a swarm: there each node drops a network when its last container has left, and only
 * the manager's FreeNetwork means that it is removed.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { RouterApi } from '../control/api.ts'
import type { CreateNetworkRequest, DiscoveredNode } from '../docker/driver-messages.ts'
import type { DriverCall, NetworkDriver } from '../docker/remote-driver.ts'
import { isSwarmId } from '../docker/swarm-id.ts'
import type { NetworkId } from '../model/cluster.ts'
import { networkForgotten, segmentTaken } from '../model/faults.ts'
import type { Memory } from './memory.ts'
import { readNetworkOptions } from './options.ts'
import { segmentOf } from './segment.ts'
import type { SegmentContext } from './segment.ts'

export interface DriverOptions extends SegmentContext {
  readonly router: RouterApi
  readonly memory: Memory
  /** Something that was accepted and should be known. */
  readonly warn: (text: string) => void
  readonly onNode: (node: DiscoveredNode) => void
  /** What is remembered of Docker's networks may not be true any more. */
  readonly onDoubt: () => void
}

/** Docker appends a number. */
const containerPrefix = 'ethwe'

export function createDriver(options: DriverOptions): NetworkDriver {
  const { router, onNode } = options
  return {
    createNetwork: (request, call) => createNetwork(request, { ...options, ...call }),
    deleteNetwork: (network, call) => deleteNetwork(network, { ...options, ...call }),
    freeNetwork: (network, call) => removeEverywhere(network, { ...options, ...call }),
    async createEndpoint({ NetworkID, EndpointID, Interface }, call) {
      const { Address = '', AddressIPv6 = '', MacAddress: asked } = Interface ?? {}
      const spec = {
        network: clusterNetwork(NetworkID, options),
        addresses: [Address, AddressIPv6].filter((address) => address !== ''),
        ...(asked === undefined ? {} : { mac: asked }),
        ...(options.scope === 'global' ? {} : { dockerNetwork: NetworkID }),
      }
      const { mac } = await router.putEndpoint(EndpointID, spec, call)
      return mac
    },
    async join({ EndpointID, SandboxKey }, call) {
      const { link, connectedRoutes } = await router.joinEndpoint(
        EndpointID,
        { sandbox: SandboxKey },
        call,
      )
      return { link, containerPrefix, connectedRoutes }
    },
    leave: ({ EndpointID }, call) => router.leaveEndpoint(EndpointID, call),
    deleteEndpoint: ({ EndpointID }, call) => router.deleteEndpoint(EndpointID, call),
    discover: onNode,
  }
}

type Work = DriverOptions & DriverCall

/** How long a network that another takes the place of may still be known. */
const removalMs = 2000
const pauseMs = 50

async function createNetwork(request: CreateNetworkRequest, work: Work): Promise<void> {
  const { router, memory, signal, warn } = work
  const options = readNetworkOptions(request.Options)
  for (const note of options.notes) warn(note)
  const { id, spec } = segmentOf({ request, options }, work)
  await refuseSecond({ segment: id, docker: request.NetworkID }, work)
  await router.putNetwork(id, spec, { signal })
  await memory.change((now) => ({
    ...now,
    doomed: now.doomed.filter((one) => one !== id),
    networks: work.scope === 'local' ? { ...now.networks, [request.NetworkID]: id } : now.networks,
  }))
}

/**
 * Two networks of one engine in one segment would only be found out by who can reach whom.
 *
 * The trap: Docker shows a network as gone, and gives its subnet again, a moment before it tells us that it is
 * removed. So the other one is given that moment.
 */
async function refuseSecond(
  { segment, docker }: { readonly segment: NetworkId; readonly docker: string },
  { scope, memory, onDoubt, signal }: Work,
): Promise<void> {
  if (scope === 'global') return
  function other(): string | undefined {
    const found = Object.entries(memory.now().networks).find(
      ([network, one]) => one === segment && network !== docker,
    )
    return found?.[0]
  }
  for (let waitedMs = 0; other() !== undefined && waitedMs < removalMs; waitedMs += pauseMs) {
    await sleep(pauseMs, undefined, { signal })
  }
  const network = other()
  if (network === undefined) return
  // It may be one that Docker removed while we were away.
  onDoubt()
  throw segmentTaken({ segment, network })
}

async function deleteNetwork(network: NetworkId, work: Work): Promise<void> {
  if (work.scope === 'global') {
    if (!isSwarmId(network)) await removeEverywhere(network, work)
    return
  }
  const { networks } = work.memory.now()
  const id = networks[network]
  if (id === undefined) return
  await work.memory.change(({ networks: { [network]: _gone, ...rest }, ...now }) => ({
    ...now,
    networks: rest,
    doomed: [...new Set([...now.doomed, id])],
  }))
  await buryNow(id, work)
}

async function removeEverywhere(id: NetworkId, work: Work): Promise<void> {
  // Written down first: Docker will not ask again, whatever we answer.
  await work.memory.change((now) => ({ ...now, doomed: [...new Set([...now.doomed, id])] }))
  await buryNow(id, work)
}

async function buryNow(
  id: NetworkId,
  { router, memory, signal, scope, warn }: Work,
): Promise<void> {
  await buryNetworks({ router, memory, signal, scope }).catch((error: unknown) => {
    warn(`network ${id} is removed later: ${error instanceof Error ? error.message : 'failed'}`)
  })
}

/**
 * Removes the networks that Docker has dropped. In local scope one that other hosts still use is
 * theirs from now on. Idempotent.
 */
export async function buryNetworks({
  router,
  memory,
  scope,
  signal,
}: Pick<Work, 'router' | 'memory' | 'scope' | 'signal'>): Promise<void> {
  const { doomed } = memory.now()
  if (doomed.length === 0) return
  const used = scope === 'local' ? await usedNetworks(router, signal) : new Set<NetworkId>()
  for (const id of doomed) {
    if (!used.has(id)) await router.deleteNetwork(id, { signal })
    await memory.change((now) => ({ ...now, doomed: now.doomed.filter((one) => one !== id) }))
  }
}

async function usedNetworks(router: RouterApi, signal: AbortSignal): Promise<Set<NetworkId>> {
  const { endpoints } = await router.status({ signal })
  return new Set(endpoints.map(({ network }) => network))
}

function clusterNetwork(network: NetworkId, { scope, memory, onDoubt }: DriverOptions): NetworkId {
  if (scope === 'global') return network
  const known = memory.now().networks[network]
  if (known !== undefined) return known
  onDoubt()
  throw networkForgotten(network, memory.file)
}
