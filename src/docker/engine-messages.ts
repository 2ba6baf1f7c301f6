/**
 * The few fields of the engine's answers that we use, under names of our own.
 *
 * Engines from 20.10 on send all of these; what an engine leaves out or sends as null becomes the
 * empty value, because Go programs do not tell the two apart.
 */

import { z } from 'zod'
import type { NetworkSettings, PoolSettings, Texts } from '../model/definition.ts'
import { formatPrefix, networkOf, parsePrefix } from '../model/prefix.ts'

/** What Go leaves out or sends as null is the empty text. */
export const text = z.string().nullish().transform(orEmpty)

const swarm = z.object({
  NodeID: text,
  LocalNodeState: text,
  NodeAddr: text,
  ControlAvailable: z.boolean().nullish(),
  RemoteManagers: z.array(z.object({ Addr: text })).nullish(),
})

export const engineInfo = z
  .object({
    ServerVersion: text,
    DockerRootDir: text,
    /** Engines up to 20.10 that were given one: `etcd://host:2379`. */
    ClusterStore: text,
    Swarm: swarm.nullish(),
  })
  .transform(({ ServerVersion, DockerRootDir, ClusterStore, Swarm }) => ({
    version: ServerVersion,
    /** Where the engine keeps everything; empty where unknown. */
    directory: DockerRootDir,
    clusterStore: ClusterStore,
    swarm: {
      /** `inactive`, `pending`, `active`, `error` or `locked`; empty where unknown. */
      state: Swarm?.LocalNodeState ?? '',
      nodeId: Swarm?.NodeID ?? '',
      /** Where the other nodes reach this one. */
      address: Swarm?.NodeAddr ?? '',
      isManager: Swarm?.ControlAvailable ?? false,
      /** host:port of each, this node's own among them. */
      managers: (Swarm?.RemoteManagers ?? []).map(({ Addr }) => Addr),
    },
  }))

const attachment = z
  .object({ NetworkID: text, EndpointID: text, IPAddress: text, GlobalIPv6Address: text })
  .transform(({ NetworkID, EndpointID, IPAddress, GlobalIPv6Address }) => ({
    /** Empty until a container is first started: then only the name is known. */
    networkId: NetworkID,
    endpointId: EndpointID,
    addresses: [IPAddress, GlobalIPv6Address].filter((address) => address !== ''),
  }))

export const containerList = z.array(
  z
    .object({
      Id: z.string(),
      Names: z.array(z.string()).nullish(),
      State: text,
      HostConfig: z.object({ NetworkMode: text }).nullish(),
      NetworkSettings: z
        .object({ Networks: z.record(z.string(), attachment.nullable()).nullish() })
        .nullish(),
    })
    .transform(({ Id, Names, State, HostConfig, NetworkSettings }) => ({
      id: Id,
      name: Names?.[0]?.replace(/^\//, '') ?? '',
      state: State,
      /** What was written after `--net`: a name or an ID. */
      networkMode: HostConfig?.NetworkMode ?? '',
      attachments: Object.entries(NetworkSettings?.Networks ?? {}).flatMap(([network, one]) =>
        one === null ? [] : [{ network, ...one }],
      ),
    })),
)

const texts = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value): Texts => value ?? {})

const pool = z
  .object({ Subnet: text, IPRange: text, Gateway: text, AuxiliaryAddresses: texts })
  .transform(({ Subnet, IPRange, Gateway, AuxiliaryAddresses }): PoolSettings => ({
    subnet: canonicalSubnet(Subnet),
    ...(IPRange === '' ? {} : { ipRange: canonicalSubnet(IPRange) }),
    ...(Gateway === '' ? {} : { gateway: bareAddress(Gateway) }),
    ...(Object.keys(AuxiliaryAddresses).length === 0 ? {} : { auxAddresses: AuxiliaryAddresses }),
  }))

const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false)

export const networkList = z.array(
  z
    .object({
      Id: z.string(),
      Name: text,
      Driver: text,
      Scope: text,
      /** Engines from 28 on; before, every network has IPv4. */
      EnableIPv4: z.boolean().nullish(),
      EnableIPv6: flag,
      IPAM: z.object({ Driver: text, Options: texts, Config: z.array(pool).nullish() }),
      Internal: flag,
      Attachable: flag,
      Options: texts,
      Labels: texts,
    })
    .transform(({ Id, Name, Driver, Scope, ...details }) => ({
      id: Id,
      name: Name,
      driver: Driver,
      scope: Scope,
      settings: settingsOf(details),
    })),
)

const member = z
  .object({ Name: text, IPv4Address: text, IPv6Address: text })
  .transform(({ Name, IPv4Address, IPv6Address }) => ({
    /** The container's, or `gateway_` and the name of its sandbox's file on Docker's own bridge. */
    name: Name,
    addresses: [IPv4Address, IPv6Address].filter((address) => address !== '').map(bareAddress),
  }))

export const networkMembers = z
  .object({ Containers: z.record(z.string(), member).nullish() })
  .transform(({ Containers }) => Object.values(Containers ?? {}))

export const createdNetwork = z.object({ Id: z.string() }).transform(({ Id }) => Id)

export const refusal = z.object({ message: z.string() }).transform(({ message }) => message)

interface Details {
  readonly EnableIPv4?: boolean | null | undefined
  readonly EnableIPv6: boolean
  readonly IPAM: {
    readonly Driver: string
    readonly Options: Texts
    readonly Config?: readonly PoolSettings[] | null | undefined
  }
  readonly Internal: boolean
  readonly Attachable: boolean
  readonly Options: Texts
  readonly Labels: Texts
}

/** The null address management has "pools" that mean nothing, such as 0.0.0.0/0. */
function settingsOf({ IPAM, ...details }: Details): NetworkSettings {
  return {
    ipamDriver: IPAM.Driver,
    ipamOptions: IPAM.Options,
    ipam: (IPAM.Config ?? []).filter(({ subnet }) => !/^$|\/0$/.test(subnet)),
    options: details.Options,
    labels: details.Labels,
    internal: details.Internal,
    attachable: details.Attachable,
    ipv4: details.EnableIPv4 ?? true,
    ipv6: details.EnableIPv6,
  }
}

/** What the engine is to be told so that it makes this network. */
export function createNetworkBody(
  { driver, name }: { readonly driver: string; readonly name: string },
  settings: NetworkSettings,
): unknown {
  return {
    Name: name,
    // Engines before 25 make a second network of the same name otherwise.
    CheckDuplicate: true,
    Driver: driver,
    Internal: settings.internal,
    Attachable: settings.attachable,
    // Engines before 28 do not know it; all of theirs have IPv4.
    ...(settings.ipv4 ? {} : { EnableIPv4: false }),
    EnableIPv6: settings.ipv6,
    IPAM: {
      Driver: settings.ipamDriver,
      Options: settings.ipamOptions,
      Config: settings.ipam.map(({ subnet, ipRange, gateway, auxAddresses }) => ({
        Subnet: subnet,
        ...(ipRange === undefined ? {} : { IPRange: ipRange }),
        ...(gateway === undefined ? {} : { Gateway: gateway }),
        ...(auxAddresses === undefined ? {} : { AuxiliaryAddresses: auxAddresses }),
      })),
    },
    Options: settings.options,
    Labels: settings.labels,
  }
}

function canonicalSubnet(given: string): string {
  const prefix = parsePrefix(given)
  return prefix === undefined ? given : formatPrefix(networkOf(prefix))
}

/** Some engines show a gateway with the length of its subnet. */
function bareAddress(given: string): string {
  return parsePrefix(given)?.address ?? given
}

export type EngineInfo = z.infer<typeof engineInfo>
export type EngineContainer = z.infer<typeof containerList>[number]
export type NetworkMember = z.infer<typeof networkMembers>[number]
export type EngineNetwork = z.infer<typeof networkList>[number]

function orEmpty(value: string | null | undefined): string {
  return value ?? ''
}
