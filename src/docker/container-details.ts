/**
 * What the engine says of one container when asked for it alone: all that it is called.
 *
 * The trap: the engine answers only when it can have the container's lock, which it holds while a
 * container starts. The list of containers needs no lock, but has no aliases.
 */

import { z } from 'zod'
import { text } from './engine-messages.ts'

const attachment = z
  .object({
    NetworkID: text,
    EndpointID: text,
    IPAddress: text,
    GlobalIPv6Address: text,
    Aliases: z.array(z.string()).nullish(),
  })
  .transform(({ NetworkID, EndpointID, IPAddress, GlobalIPv6Address, Aliases }) => ({
    /** Empty until the container is first started: then only the name is known. */
    networkId: NetworkID,
    endpointId: EndpointID,
    addresses: [IPAddress, GlobalIPv6Address].filter((address) => address !== ''),
    aliases: Aliases ?? [],
  }))

const words = {
  Name: text,
  State: z.object({ Running: z.boolean().nullish(), Pid: z.number().nullish() }).nullish(),
  Config: z.object({ Hostname: text, Domainname: text }).nullish(),
  NetworkSettings: z
    .object({
      SandboxKey: text,
      Networks: z.record(z.string(), attachment.nullable()).nullish(),
    })
    .nullish(),
}

/** As the engine answers. */
export const containerDetails = z
  .object({ Id: z.string(), ...words })
  .transform(({ Id, ...said }) => ({ id: Id, ...detailsOf(said) }))

/** As the engine writes it to its own disk. */
export const writtenDetails = z
  .object({ ID: z.string(), ...words })
  .transform(({ ID, ...said }) => ({ id: ID, ...detailsOf(said) }))

const said = z.object(words)

function detailsOf({ Name, State, Config, NetworkSettings }: z.output<typeof said>) {
  return {
    name: Name.replace(/^\//, ''),
    hostname: Config?.Hostname ?? '',
    domainname: Config?.Domainname ?? '',
    /** Of its first process; 0 while it does not run. */
    pid: State?.Running === true ? (State.Pid ?? 0) : 0,
    /** Path of its network namespace, also of one that is long gone. */
    sandbox: NetworkSettings?.SandboxKey ?? '',
    attachments: Object.entries(NetworkSettings?.Networks ?? {}).flatMap(([network, one]) =>
      // What was written after `--net`, so it may be an ID.
      one === null ? [] : [{ network, ...one }],
    ),
  }
}

export type ContainerDetails = z.infer<typeof containerDetails>
