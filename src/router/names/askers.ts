/**
 * Which sandbox does a question come from, when all that is known is the address of its sender?
 *
 * Containers with `weave dns-args` ask across one of Docker's bridges. Their address there is not ours to
 * give: Docker's own gateway bridge names a sandbox for each, other bridges name containers.
 *
 * The trap is an address that passes to another container: what is known of addresses is forgotten whenever
 * an endpoint of this host changes, which any new container with a network of ours does.
 */

import path from 'node:path'
import type { Engine } from '../../docker/engine.ts'
import type { Roster } from './roster.ts'

export interface Askers {
  /** The path of the sandbox, if it is one with a network of ours. */
  readonly sandboxAt: (address: string) => Promise<string | undefined>
}

export interface AskersSources {
  readonly engine: Pick<Engine, 'members'>
  readonly roster: Pick<Roster, 'withAddress'>
  readonly sandboxes: () => ReadonlyMap<string, unknown>
  /** Another number after each change of this host's endpoints. */
  readonly version: () => number
}

const gatewayBridge = 'docker_gwbridge'
const gatewayMember = /^gateway_(?<sandbox>[0-9a-f]+)$/

export function createAskers({ engine, roster, sandboxes, version }: AskersSources): Askers {
  let known: { readonly version: number; readonly names: Promise<Addresses> } | undefined
  function namesNow(): Promise<Addresses> {
    if (known?.version !== version()) {
      known = { version: version(), names: readGateways(engine).catch(forget) }
    }
    return known.names
  }
  /** The engine says nothing just now: it is asked again with the next question. */
  function forget(): Addresses {
    known = undefined
    return new Map()
  }
  return {
    async sandboxAt(address) {
      const name = (await namesNow()).get(address)
      if (name === undefined) {
        const { sandbox = '' } = roster.withAddress(address) ?? {}
        return sandboxes().has(sandbox) ? sandbox : undefined
      }
      return [...sandboxes().keys()].find((sandbox) => path.basename(sandbox) === name)
    },
  }
}

/** The name of a sandbox's file, by address. */
type Addresses = ReadonlyMap<string, string>

async function readGateways(engine: Pick<Engine, 'members'>): Promise<Addresses> {
  const members = await engine.members(gatewayBridge)
  return new Map(
    members.flatMap(({ name, addresses }) => {
      const sandbox = gatewayMember.exec(name)?.groups?.['sandbox']
      return sandbox === undefined ? [] : addresses.map((address) => [address, sandbox] as const)
    }),
  )
}
