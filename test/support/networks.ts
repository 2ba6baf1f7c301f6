/** Networks as the engines of a lab have them, and the questions that tests ask of them. */

import { z } from 'zod'
import type { Status } from '../../src/control/messages.ts'
import { readStatus } from './cluster.ts'
import { ok, until } from './lab/lab.ts'
import type { Host } from './lab/lab.ts'

const inspected = z.looseObject({
  Id: z.string(),
  Labels: z.record(z.string(), z.string()),
  IPAM: z.looseObject({ Config: z.array(z.looseObject({ Subnet: z.string() })).nullable() }),
})

export type Inspected = z.infer<typeof inspected>

const patienceMs = 30_000

/** As `docker network create` with our driver and our addresses; on one host, for all. */
export async function createNetwork(
  host: Host,
  name: string,
  ...args: readonly string[]
): Promise<string> {
  const drivers = ['--driver=weave', '--ipam-driver=weave']
  return ok(host.docker('network', 'create', ...drivers, ...args, name))
}

export async function removeNetwork(host: Host, name: string): Promise<void> {
  await ok(host.docker('network', 'rm', name))
}

/** Undefined when the engine has none of this name. */
export async function inspect(host: Host, name: string): Promise<Inspected | undefined> {
  const { code, stdout } = await host.docker('network', 'inspect', name)
  return code === 0 ? z.array(inspected).parse(JSON.parse(stdout))[0] : undefined
}

/** What two hosts have of one network must be the same but for this. */
export function withoutIdentity(network: Inspected | undefined): unknown {
  const identity = ['Id', 'Created', 'Containers']
  return Object.fromEntries(
    Object.entries(network ?? {}).filter(([key]) => !identity.includes(key)),
  )
}

/** Waits for a network, or for its end, on all of these hosts. @throws after half a minute */
export async function expectNetwork(
  hosts: readonly Host[],
  name: string,
  isWanted: 'there' | 'gone' = 'there',
): Promise<void> {
  for (const host of hosts) {
    const isSo = await until(
      async () => ((await inspect(host, name)) !== undefined) === (isWanted === 'there'),
      patienceMs,
    )
    if (isSo) continue
    const { stdout } = await host.weave('status', 'networks')
    throw new Error(`${name} is not ${isWanted} on ${host.name}:\n${stdout}`)
  }
}

/** What the router of a host says of a network; nothing while it is away. */
export async function definitionOn(
  host: Host,
  name: string,
): Promise<Status['definitions'][number] | undefined> {
  const status = await readStatus(host).catch(() => undefined)
  return status?.definitions.find((definition) => definition.name === name)
}

/** Waits until the router of each host says this of a network. @throws after half a minute */
export async function expectState(
  hosts: readonly Host[],
  name: string,
  state: Status['definitions'][number]['state'],
): Promise<void> {
  for (const host of hosts) {
    const isSo = await until(
      async () => (await definitionOn(host, name))?.state === state,
      patienceMs,
    )
    if (isSo) continue
    const found = JSON.stringify(await definitionOn(host, name))
    throw new Error(`${name} is not ${state} on ${host.name}: ${found}`)
  }
}

/** Names and IDs of all networks but the one that Docker makes at each start. */
export async function listNetworks(host: Host): Promise<readonly string[]> {
  const format = '{{.Name}} {{.ID}}'
  const text = await ok(host.docker('network', 'ls', '--no-trunc', '--format', format))
  return text
    .split('\n')
    .filter((line) => !line.startsWith('bridge '))
    .toSorted()
}
