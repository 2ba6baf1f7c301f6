/**
 * What this host knows by itself and is the authority on: its endpoints, and the networks it uses.
 *
 * Kept on this host's own disk and published from here. So containers start while the store is
 * away, and a store that lost its data is filled again.
 */

import type { LocalEndpoint } from '../datapath/segment.ts'
import { openShelf } from '../disk/shelf.ts'
import { isIpAddress, isUnicastMac } from '../model/address.ts'
import { isEndpointId, isNetwork, isNetworkId, isRecord } from '../model/cluster.ts'
import type { EndpointId, Network, NetworkId } from '../model/cluster.ts'
import { isName, isNaming } from '../model/name.ts'
import type { Naming } from '../model/name.ts'
import { parsePrefix } from '../model/prefix.ts'
import { isStaticNameId } from '../model/static-name.ts'
import type { StaticName, StaticNameId } from '../model/static-name.ts'
import type { Paths } from '../settings/paths.ts'

export interface KnownNetwork extends Network {
  /** Docker has removed it; its records in the store are to go, then this one. */
  readonly removed?: boolean | undefined
  /** The cluster has known of it: if it does not any more, somebody removed it. */
  readonly published?: boolean | undefined
}

export interface OwnEndpoint extends Omit<LocalEndpoint, 'addresses'> {
  /** As Docker gave them, with prefix length. */
  readonly subnetAddresses: readonly string[]
  /** ISO 8601, last change of phase. */
  readonly since: string
  /** Path of the container's network namespace, once joined. */
  readonly sandbox?: string | undefined
  /** The engine's own ID of the network, where it is not the network's here. */
  readonly dockerNetwork?: string | undefined
  /** Once the engine has told what the container is called. */
  readonly naming?: Naming | undefined
}

/** A name that somebody added here, by hand. */
export interface OwnStaticName extends Omit<StaticName, 'host' | 'container'> {
  /**
   * The whole ID of the container that it was added for: it is said only while that runs. Without
   * addresses it stands for those that the container has.
   */
  readonly container?: string | undefined
}

export interface Facts {
  readonly networks: ReadonlyMap<NetworkId, KnownNetwork>
  readonly endpoints: ReadonlyMap<EndpointId, OwnEndpoint>
  readonly staticNames: ReadonlyMap<StaticNameId, OwnStaticName>
  /** Grows with every change: the same number means the same facts. */
  readonly version: () => number
  readonly setNetwork: (network: KnownNetwork) => Promise<void>
  readonly deleteNetwork: (id: NetworkId) => Promise<void>
  readonly setEndpoint: (endpoint: OwnEndpoint) => Promise<void>
  readonly deleteEndpoint: (id: EndpointId) => Promise<void>
  readonly setStaticName: (name: OwnStaticName) => Promise<void>
  readonly deleteStaticName: (id: StaticNameId) => Promise<void>
}

export async function openFacts(
  paths: Paths,
  onSetAside: (problem: string) => void,
): Promise<Facts> {
  const common = { asideFolder: paths.asideDir, onSetAside }
  const networks = await openShelf<NetworkId, KnownNetwork>({
    ...common,
    survives: 'power-cut',
    folder: paths.networksDir,
    isId: isNetworkId,
    isValue: isKnownNetwork,
  })
  const endpoints = await openShelf<EndpointId, OwnEndpoint>({
    ...common,
    // A power cut ends the containers, too; Docker makes new endpoints for them.
    survives: 'crash',
    folder: paths.endpointsDir,
    isId: isEndpointId,
    isValue: isOwnEndpoint,
  })
  const staticNames = await openShelf<StaticNameId, OwnStaticName>({
    ...common,
    survives: 'power-cut',
    folder: paths.namesDir,
    isId: isStaticNameId,
    isValue: isOwnStaticName,
  })
  let version = 0
  function counted<Args extends readonly unknown[]>(
    change: (...args: Args) => Promise<void>,
  ): (...args: Args) => Promise<void> {
    return async (...args) => {
      await change(...args).finally(() => {
        version += 1
      })
    }
  }
  return {
    networks: networks.all,
    endpoints: endpoints.all,
    staticNames: staticNames.all,
    version: () => version,
    setNetwork: counted((network) => networks.set(network.id, network)),
    deleteNetwork: counted((id) => networks.delete(id)),
    setEndpoint: counted((endpoint) => endpoints.set(endpoint.id, endpoint)),
    deleteEndpoint: counted((id) => endpoints.delete(id)),
    setStaticName: counted((name) => staticNames.set(name.id, name)),
    deleteStaticName: counted((id) => staticNames.delete(id)),
  }
}

/**
 * Throws while the network of an endpoint is not known, because its file was set aside: what its
 * links are called cannot be told, and nobody may take them for ones that nothing explains.
 */
export function requireNetworks({
  networks,
  endpoints,
}: Pick<Facts, 'networks' | 'endpoints'>): void {
  const lost = [...endpoints.values()].find(({ network }) => !networks.has(network))
  if (lost === undefined) return
  throw new Error(`network ${lost.network.slice(0, 12)} of a container here is not known any more`)
}

/** The bare addresses of an endpoint, as the data plane wants them. */
export function toLocalEndpoint(endpoint: OwnEndpoint): LocalEndpoint {
  const { id, network, mac, phase } = endpoint
  const addresses = endpoint.subnetAddresses.flatMap((text) => {
    const prefix = parsePrefix(text)
    return prefix === undefined ? [] : [prefix.address]
  })
  return { id, network, mac, phase, addresses }
}

function isKnownNetwork(value: unknown): value is KnownNetwork {
  if (!isRecord(value)) return false
  const { removed, published } = value
  return isFlag(removed) && isFlag(published) && isNetwork(value)
}

function isOwnEndpoint(value: unknown): value is OwnEndpoint {
  return (
    isRecord(value) &&
    isEndpointId(value['id']) &&
    isNetworkId(value['network']) &&
    isUnicastMac(value['mac']) &&
    isPhase(value['phase']) &&
    typeof value['since'] === 'string' &&
    isOptionalText(value['sandbox']) &&
    isOptionalText(value['dockerNetwork']) &&
    (value['naming'] === undefined || isNaming(value['naming'])) &&
    Array.isArray(value['subnetAddresses']) &&
    value['subnetAddresses'].every(
      (text) => typeof text === 'string' && parsePrefix(text) !== undefined,
    )
  )
}

function isOwnStaticName(value: unknown): value is OwnStaticName {
  if (!isRecord(value)) return false
  const { addresses, network, container } = value
  return (
    isStaticNameId(value['id']) &&
    isName(value['name']) &&
    Array.isArray(addresses) &&
    addresses.every((one) => isIpAddress(one)) &&
    (network === undefined || isNetworkId(network)) &&
    isOptionalText(container)
  )
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string'
}

function isFlag(value: unknown): value is boolean | undefined {
  return value === undefined || typeof value === 'boolean'
}

function isPhase(value: unknown): value is OwnEndpoint['phase'] {
  return value === 'created' || value === 'joined' || value === 'left'
}
