/**
 * Which network of the cluster does somebody mean who names one of this host's engine?
 *
 * In global scope the engine's ID is the network's; in local scope the network is the segment that
 * the engine's network was made as.
 */

import type { Engine, EngineNetwork } from '../../docker/engine.ts'
import { isNetworkId } from '../../model/cluster.ts'
import type { NetworkId } from '../../model/cluster.ts'
import { segmentOf } from '../../model/definition.ts'
import { badArgument, networkUnknown } from '../../model/faults.ts'
import { hint, meantBy, tellApart } from './meant.ts'

export interface NetworkSources {
  readonly engine: Pick<Engine, 'networks'>
  /** Of all networks that the cluster or this host knows. */
  readonly known: () => ReadonlySet<NetworkId>
  /** Drivers in local scope. */
  readonly localDrivers: () => ReadonlySet<string>
}

/** @throws NETWORK_UNKNOWN, ENGINE_UNREACHABLE; BAD_ARGUMENT when it could be several */
export async function findNetwork(
  text: string,
  sources: NetworkSources,
  signal: AbortSignal,
): Promise<NetworkId> {
  if (isNetworkId(text) && sources.known().has(text)) return text
  const all = (await sources.engine.networks({ signal })).flatMap((one) => {
    const network = networkOf(one, sources)
    return network === undefined ? [] : [{ id: one.id, name: one.name, network }]
  })
  const found = meantBy(text, all)
  const networks = new Set(found.map(({ network }) => network))
  const [network] = networks
  if (network === undefined) throw networkUnknown(text, hint(text, all, 'docker network ls'))
  if (networks.size > 1) throw badArgument('--net', text, tellApart(found))
  return network
}

function networkOf(
  { id, driver, settings }: EngineNetwork,
  { known, localDrivers }: NetworkSources,
): NetworkId | undefined {
  const network = localDrivers().has(driver) ? segmentOf(settings) : id
  return isNetworkId(network) && known().has(network) ? network : undefined
}
