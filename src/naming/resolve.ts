/**
 * Decides what a container is told about a name or an address: who has it, in the networks that it
 * shares with whoever asks.
 *
 *   web                  a name on one of the asker's networks
 *   web.backend          the same, on the network called "backend"
 *   web.weave.local      the same as "web", and never anybody else's business
 *   10.32.0.7            the reverse: what the container there is called
 *
 * `foreign` means that nobody here knows it and somebody else may: the question goes where it went
 * before there was weave. Only what lies in our own domain is known not to exist.
 *
 * Pure: a question and the records in, the answer out. Addresses come in no particular order.
 */

import { isIpv4 } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import type { NetworkId } from '../model/cluster.ts'
import { readName } from '../model/name.ts'
import type { Naming } from '../model/name.ts'
import { readReverse } from './reverse.ts'

/** RFC 1035, section 3.2.2; RFC 3596, section 2.1; RFC 8482. */
const recordTypes = { a: 1, ptr: 12, aaaa: 28, any: 255 } as const

export interface NameQuestion {
  /** As asked; without the last dot. */
  readonly name: string
  /** Number of the record type. */
  readonly type: number
}

export type Resolution =
  | { readonly kind: 'addresses'; readonly addresses: readonly IpAddress[] }
  | { readonly kind: 'names'; readonly names: readonly string[] }
  /** The name exists, but has nothing of this type. */
  | { readonly kind: 'no-data' }
  /** Ours to know, and there is no such name. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'foreign' }

/** A live record: an endpoint that has names, or a name that somebody added. */
export interface Named {
  readonly addresses: readonly IpAddress[]
  readonly naming?: Naming | undefined
}

export interface Added {
  readonly name: string
  readonly addresses: readonly IpAddress[]
  readonly network?: NetworkId | undefined
}

/** Everything that is alive now. */
export interface Directory {
  readonly endpointsNamed: (network: NetworkId, name: string) => Iterable<Named>
  readonly endpointsAt: (network: NetworkId, address: IpAddress) => Iterable<Named>
  readonly addedNamed: (name: string) => Iterable<Added>
  readonly addedAt: (address: IpAddress) => Iterable<Added>
}

export interface Asker {
  /** Those that it shares with whom it may know. */
  readonly networks: Iterable<NetworkId>
}

export interface Resolving {
  readonly directory: Directory
  /** As `readName` gives it: `weave.local`. */
  readonly domain: string
}

export function resolve(
  { name: asked, type }: NameQuestion,
  asker: Asker,
  { directory, domain }: Resolving,
): Resolution {
  const address = readReverse(asked)
  if (address !== undefined) return reverse(address, { asker, directory, domain, type })
  const name = readName(asked)
  if (name === undefined) return { kind: isUnder(domain, asked) ? 'unknown' : 'foreign' }
  if (name === domain) return { kind: 'no-data' }
  const isOurs = isUnder(domain, name)
  const bare = isOurs ? name.slice(0, -domain.length - 1) : name
  const addresses = new Set([
    ...ofContainers(bare, asker, directory),
    ...ofAdded(bare, asker, directory),
  ])
  if (addresses.size === 0) return { kind: isOurs ? 'unknown' : 'foreign' }
  return ofType(type, [...addresses])
}

/** Whether a name lies below a domain. */
export function isUnder(domain: string, name: string): boolean {
  return name.toLowerCase().endsWith(`.${domain}`)
}

function* ofContainers(
  name: string,
  { networks }: Asker,
  directory: Directory,
): Generator<IpAddress> {
  for (const network of networks) {
    for (const { addresses } of directory.endpointsNamed(network, name)) yield* addresses
    yield* ofQualified(name, network, directory)
  }
}

/** NAME.NETWORK, where either may have dots of its own. */
function* ofQualified(
  name: string,
  network: NetworkId,
  directory: Directory,
): Generator<IpAddress> {
  for (let dot = name.indexOf('.'); dot > 0; dot = name.indexOf('.', dot + 1)) {
    const called = name.slice(dot + 1)
    for (const { addresses, naming } of directory.endpointsNamed(network, name.slice(0, dot))) {
      if (naming?.network.toLowerCase() === called) yield* addresses
    }
  }
}

function* ofAdded(name: string, { networks }: Asker, directory: Directory): Generator<IpAddress> {
  const shared = new Set(networks)
  for (const { network, addresses } of directory.addedNamed(name)) {
    if (network === undefined || shared.has(network)) yield* addresses
  }
}

function ofType(type: number, all: readonly IpAddress[]): Resolution {
  const addresses = all.filter((address) => {
    if (type === recordTypes.any) return true
    return type === (isIpv4(address) ? recordTypes.a : recordTypes.aaaa)
  })
  return addresses.length === 0 ? { kind: 'no-data' } : { kind: 'addresses', addresses }
}

interface Reversing extends Resolving {
  readonly asker: Asker
  readonly type: number
}

function reverse(address: IpAddress, { asker, directory, domain, type }: Reversing): Resolution {
  const names = new Set<string>()
  const networks = new Set(asker.networks)
  for (const network of networks) {
    for (const { naming } of directory.endpointsAt(network, address)) {
      const [first] = naming?.names ?? []
      if (first !== undefined) names.add(qualified(first, domain))
    }
  }
  for (const { name, network } of directory.addedAt(address)) {
    if (network === undefined || networks.has(network)) names.add(qualified(name, domain))
  }
  if (names.size === 0) return { kind: 'foreign' }
  const isAsked = type === recordTypes.ptr || type === recordTypes.any
  return isAsked ? { kind: 'names', names: [...names] } : { kind: 'no-data' }
}

/** One that has our domain already is left as it is. */
function qualified(name: string, domain: string): string {
  return isUnder(domain, name) ? name : `${name}.${domain}`
}
