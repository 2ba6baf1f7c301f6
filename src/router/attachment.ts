/**
 * The life of an endpoint on this host, from Docker's request for an interface to its removal.
 *
 *            put              join              leave             delete
 *   (none) ───────▶ created ───────▶ joined ───────▶ left ────────────────▶ (none)
 *              │                                                   ▲
 *              └──────────────── any of them ──────────────────────┘
 *
 * Each call first writes the new fact to the disk, then rings whoever acts on facts. So a router
 * that dies between the two has nothing to remember: the next one finds the fact and acts on it.
 * All are idempotent, since Docker may repeat any of them and skip most of them.
 */

import { createHash } from 'node:crypto'
import type { EndpointReply, EndpointSpec, JoinReply, JoinSpec } from '../control/messages.ts'
import { containerEndName } from '../datapath/names.ts'
import { isIpv4, ipBytes, isMac, minIpv6MtuBytes } from '../model/address.ts'
import type { IpAddress, Mac } from '../model/address.ts'
import type { EndpointId } from '../model/cluster.ts'
import { endpointUnknown, interfaceFailed, mtuBelowIpv6 } from '../model/faults.ts'
import type { Naming } from '../model/name.ts'
import { contains, parsePrefix } from '../model/prefix.ts'
import type { Turns } from '../reconcile/turns.ts'
import type { Facts, OwnEndpoint } from './facts.ts'
import type { Networks } from './networks.ts'

export interface Attachments {
  /** @throws INTERFACE_FAILED, MTU_BELOW_IPV6, with nothing left behind. */
  readonly put: (id: EndpointId, spec: EndpointSpec, signal: AbortSignal) => Promise<EndpointReply>
  /** @throws ENDPOINT_UNKNOWN */
  readonly join: (id: EndpointId, spec: JoinSpec, signal: AbortSignal) => Promise<JoinReply>
  readonly leave: (id: EndpointId) => Promise<void>
  /** The links go soon afterwards: nobody waits for them, and no later endpoint has their names. */
  readonly remove: (id: EndpointId) => Promise<void>
}

export interface AttachmentSources {
  readonly facts: Facts
  readonly networks: Networks
  readonly turns: Turns
  /** Resolves once the interfaces are as the facts want them; with what failed for this endpoint. */
  readonly settleLinks: (id: EndpointId, signal: AbortSignal) => Promise<string | undefined>
  /** Gives the other hosts and the tables a moment to hear of a change; never fails. */
  readonly announce: (signal: AbortSignal) => Promise<void>
  /**
   * Sees to it that the container of an endpoint that joins is answered, and says what it is called; never
   * fails, and takes little time.
   */
  readonly introduce: (endpoint: OwnEndpoint, signal: AbortSignal) => Promise<Naming | undefined>
  /** What fits between containers on this host. */
  readonly mtuBytes: number
  readonly now: () => Date
  /** Five random bytes, for the MAC of an endpoint without an address. */
  readonly randomBytes: () => Uint8Array
}

/** All IPv4 multicast (RFC 5771). */
const multicastRoute = '224.0.0.0/4'

export function createAttachments(sources: AttachmentSources): Attachments {
  const { facts, turns, announce } = sources

  async function join(id: EndpointId, spec: JoinSpec, signal: AbortSignal): Promise<JoinReply> {
    const endpoint = facts.endpoints.get(id)
    if (endpoint === undefined) throw endpointUnknown(id)
    const { sandbox } = spec
    const joined = { ...endpoint, sandbox, ...phase('joined') }
    await facts.setEndpoint(joined)
    // Where the container has no process yet: nobody can ask for it, or be asked by it, any earlier.
    const naming = await sources.introduce(joined, signal)
    if (naming !== endpoint.naming) await facts.setEndpoint({ ...joined, naming })
    await announce(signal)
    return { link: containerEndName(id), connectedRoutes: routesOf(endpoint, facts) }
  }

  async function leave(id: EndpointId): Promise<void> {
    const endpoint = facts.endpoints.get(id)
    if (endpoint !== undefined) await facts.setEndpoint({ ...endpoint, ...phase('left') })
  }

  async function remove(id: EndpointId): Promise<void> {
    if (!facts.endpoints.has(id)) return
    await facts.deleteEndpoint(id)
  }

  function phase(name: OwnEndpoint['phase']): Pick<OwnEndpoint, 'phase' | 'since'> {
    return { phase: name, since: sources.now().toISOString() }
  }

  return {
    put: (id, spec, signal) => turns.take(id, () => putEndpoint(sources, { id, ...spec }, signal)),
    join: (id, spec, signal) => turns.take(id, () => join(id, spec, signal)),
    leave: (id) => turns.take(id, () => leave(id)),
    remove: (id) => turns.take(id, () => remove(id)),
  }
}

/** What is on the same wire, but not in the subnet of an address that the interface has. */
function routesOf(endpoint: OwnEndpoint, { networks }: Facts): string[] {
  const network = networks.get(endpoint.network)
  const own = endpoint.subnetAddresses.flatMap((text) => parsePrefix(text) ?? [])
  const beside = (network?.subnets ?? []).filter((text) => {
    const subnet = parsePrefix(text)
    if (subnet === undefined) return false
    const family = own.filter(({ address }) => isIpv4(address) === isIpv4(subnet.address))
    return family.length > 0 && family.every(({ address }) => !contains(subnet, address))
  })
  return [...beside, ...(network?.multicast === true ? [multicastRoute] : [])]
}

async function putEndpoint(
  sources: AttachmentSources,
  { id, ...spec }: EndpointSpec & { readonly id: EndpointId },
  signal: AbortSignal,
): Promise<EndpointReply> {
  const { facts, networks, settleLinks, announce, now, randomBytes } = sources
  const { id: network, mtuBytes: asked = sources.mtuBytes } = await networks.ensure(spec.network)
  requireRoom(spec.addresses, Math.min(asked, sources.mtuBytes))
  const before = facts.endpoints.get(id)
  const mac = spec.mac ?? before?.mac ?? chooseMac(spec.addresses, randomBytes)
  const since = before?.since ?? now().toISOString()
  const { addresses: subnetAddresses, dockerNetwork } = spec
  await facts.setEndpoint({
    id,
    network,
    mac,
    subnetAddresses,
    dockerNetwork,
    phase: 'created',
    since,
  })
  const problem = await settleLinks(id, signal)
  if (problem === undefined) return { mac }
  await facts.deleteEndpoint(id)
  void announce(signal)
  throw interfaceFailed(id, problem)
}

/** Docker would fail with "no such file", for the kernel has no IPv6 on such a link. */
function requireRoom(subnetAddresses: readonly string[], mtuBytes: number): void {
  if (mtuBytes >= minIpv6MtuBytes) return
  const ipv6 = subnetAddresses.find((text) => text.includes(':'))
  if (ipv6 !== undefined) throw mtuBelowIpv6(ipv6, mtuBytes)
}

/**
 * Made from the address, so that one which moves to another host keeps its MAC and no cache in a
 * container goes stale. IPv4 as Docker's bridge driver does (02:42 and the address); an IPv6 address
 * has too many bits, so it is a digest of it.
 */
function chooseMac(subnetAddresses: readonly string[], randomBytes: () => Uint8Array): Mac {
  const addresses = subnetAddresses.map((text) => parsePrefix(text)?.address)
  const ipv4 = addresses.find(isIpv4)
  const bytes =
    ipv4 === undefined
      ? [0x02, ...lastBytes(addresses[0], randomBytes)]
      : [0x02, 0x42, ...ipBytes(ipv4)]
  const mac = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
  if (!isMac(mac)) throw new Error(`${mac} is no MAC address`)
  return mac
}

function lastBytes(ipv6: IpAddress | undefined, randomBytes: () => Uint8Array): Uint8Array {
  if (ipv6 === undefined) return randomBytes()
  return createHash('sha256').update(ipv6).digest().subarray(0, 5)
}
