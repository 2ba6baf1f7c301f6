/**
 * What is added and removed when somebody says a name by hand?
 *
 * Kept as single statements, "this name is this address", so that adding some of them twice changes
 * nothing and removing one leaves the others alone. A name of a container without an address stands
 * for whatever addresses the container has.
 */

import type { IpAddress } from '../model/address.ts'
import type { NetworkId } from '../model/cluster.ts'

export interface Said {
  readonly name: string
  /** None: those of the container. */
  readonly addresses: readonly IpAddress[]
  /** The only one whose containers see it; all containers do when there is none. */
  readonly network?: NetworkId | undefined
  readonly container?: string | undefined
}

/** What is not given matches everything. */
export interface Which {
  readonly name?: string | undefined
  readonly addresses: readonly IpAddress[]
  readonly network?: NetworkId | undefined
  readonly container?: string | undefined
}

/** One statement for each address. */
export function statements(said: Said): readonly Said[] {
  if (said.addresses.length === 0) return [said]
  return [...new Set(said.addresses)].map((address) => ({ ...said, addresses: [address] }))
}

/** Those that are to go, and what is left of them. */
export function planRemove<T extends Said>(
  all: Iterable<T>,
  which: Which,
): { readonly gone: readonly T[]; readonly left: readonly Said[] } {
  const gone = [...all].filter((one) => matches(one, which))
  const left = gone.flatMap(({ name, network, container, addresses }) => {
    const others = addresses.filter((address) => !which.addresses.includes(address))
    const isPart = which.addresses.length > 0 && others.length > 0
    return isPart ? statements({ name, network, container, addresses: others }) : []
  })
  return { gone, left }
}

function matches(said: Said, { name, addresses, network, container }: Which): boolean {
  return (
    (name === undefined || name === said.name) &&
    (network === undefined || network === said.network) &&
    (container === undefined || container === said.container) &&
    (addresses.length === 0 || said.addresses.some((address) => addresses.includes(address)))
  )
}
