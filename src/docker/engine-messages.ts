/**
 * The few fields of the engine's answers that we use, under names of our own.
 *
 * Engines from 20.10 on send all of these; what an engine leaves out or sends as null becomes the
 * empty value, because Go programs do not tell the two apart.
 */

import { z } from 'zod'

const text = z.string().nullish().transform(orEmpty)

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
    /** Engines up to 20.10 that were given one: `etcd://host:2379`. */
    ClusterStore: text,
    Swarm: swarm.nullish(),
  })
  .transform(({ ServerVersion, ClusterStore, Swarm }) => ({
    version: ServerVersion,
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
      NetworkSettings: z
        .object({ Networks: z.record(z.string(), attachment.nullable()).nullish() })
        .nullish(),
    })
    .transform(({ Id, Names, State, NetworkSettings }) => ({
      id: Id,
      name: Names?.[0]?.replace(/^\//, '') ?? '',
      state: State,
      attachments: Object.values(NetworkSettings?.Networks ?? {}).filter(isPresent),
    })),
)

export const networkDetails = z
  .object({ Id: z.string(), Name: text, Driver: text, Scope: text })
  .transform(({ Id, Name, Driver, Scope }) => ({
    id: Id,
    name: Name,
    driver: Driver,
    scope: Scope,
  }))

export type EngineInfo = z.infer<typeof engineInfo>
export type EngineContainer = z.infer<typeof containerList>[number]
export type EngineNetwork = z.infer<typeof networkDetails>

function orEmpty(value: string | null | undefined): string {
  return value ?? ''
}

function isPresent<T>(value: T | null): value is T {
  return value !== null
}
