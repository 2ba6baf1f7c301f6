/**
 * Which network of the cluster a network of one Docker engine is.
 *
 * Pure. In global scope all engines know a network by one ID, so that ID it is. In local scope each
 * engine makes up its own, and does not tell the name that the user typed; two of them are the same
 * network if the user named it (`-o weave.network=NAME`), or else if their first subnet is the same.
 *
 * In local scope there is a trap: Docker's own address management counts from the start of the
 * subnet on every host. So it is refused, unless the user says which part of it is this host's.
 */

import type { NetworkSpec } from '../control/messages.ts'
import type { CreateNetworkRequest, IpamData } from '../docker/driver-messages.ts'
import type { Scope } from '../docker/remote-driver.ts'
import { ipBytes, ipFromBytes, isIpv4, minIpv6MtuBytes } from '../model/address.ts'
import { isNetworkId } from '../model/cluster.ts'
import type { NetworkId } from '../model/cluster.ts'
import { badNetworkOption, localIpam, networkUnnamed } from '../model/faults.ts'
import { contains, formatPrefix, networkOf, parsePrefix } from '../model/prefix.ts'
import type { Prefix } from '../model/prefix.ts'
import { mtuOption, nameOption, rangeOption } from './options.ts'
import type { NetworkOptions } from './options.ts'

export interface Segment {
  readonly id: NetworkId
  readonly spec: NetworkSpec
}

export interface SegmentContext {
  readonly scope: Scope
  /** As in `docker network create --driver=NAME`. */
  readonly driverName: string
  /** Picks the part of a subnet that is proposed for this host. */
  readonly hostname: string
}

/** What Docker's built-in address management calls its own in local scope. */
const dockerLocalSpace = 'LocalDefault'
/** A proposed part is the subnet's 256th, but at least four addresses. */
const proposedBits = 8
const leastHostBits = 2

/** @throws Fault LOCAL_IPAM, BAD_NETWORK_OPTION, NETWORK_UNNAMED */
export function segmentOf(
  { request, options }: { request: CreateNetworkRequest; options: NetworkOptions },
  context: SegmentContext,
): Segment {
  const pools = [...request.IPv4Data, ...request.IPv6Data].flatMap(readPool)
  requireRoom(pools, options)
  const spec = {
    subnets: pools.map(({ subnet }) => formatPrefix(subnet)),
    multicast: options.multicast,
    ...(options.mtuBytes === undefined ? {} : { mtuBytes: options.mtuBytes }),
  }
  if (context.scope === 'global') {
    if (options.name === undefined) return { id: request.NetworkID, spec }
    throw badNetworkOption(nameOption, 'in global scope Docker itself names the network everywhere')
  }
  checkRanges(pools, { options, context })
  return { id: options.name ?? idOfSubnet(pools[0]?.subnet), spec }
}

/** `10.44.0.0/16` becomes `10.44.0.0-16`, `fd00::/64` becomes `fd00..-64`. */
export function idOfSubnet(subnet: Prefix | undefined): NetworkId {
  const text = subnet === undefined ? '' : formatPrefix(subnet)
  const id = text.replace(/^:/, '0:').replaceAll(':', '.').replace('/', '-')
  if (!isNetworkId(id)) throw networkUnnamed()
  return id
}

/** The router lowers an MTU to what the underlay carries; what was asked for is judged here. */
function requireRoom(pools: readonly Pool[], { mtuBytes = minIpv6MtuBytes }: NetworkOptions): void {
  const ipv6 = pools.find(({ subnet }) => !isIpv4(subnet.address))
  if (mtuBytes >= minIpv6MtuBytes || ipv6 === undefined) return
  const need = `${formatPrefix(ipv6.subnet)} needs at least ${minIpv6MtuBytes}`
  throw badNetworkOption(mtuOption, `${mtuBytes}, but ${need}`)
}

interface Pool {
  readonly subnet: Prefix
  readonly space: string
}

/** None for a pool that says nothing, such as 0.0.0.0/0 of Docker's null address management. */
function readPool({ Pool: text, AddressSpace }: IpamData): readonly Pool[] {
  const prefix = parsePrefix(text)
  if (prefix === undefined || prefix.length === 0) return []
  return [{ subnet: networkOf(prefix), space: AddressSpace }]
}

function checkRanges(
  pools: readonly Pool[],
  { options, context }: { options: NetworkOptions; context: SegmentContext },
): void {
  const { ownRanges } = options
  const stray = ownRanges.find((range) => !pools.some(({ subnet }) => isPartOf(range, subnet)))
  if (stray !== undefined) {
    throw badNetworkOption(rangeOption, `${formatPrefix(stray)} is not a part of the subnet`)
  }
  const docker = pools.filter(({ space }) => space === dockerLocalSpace)
  const open = docker.find(({ subnet }) => !ownRanges.some((range) => isPartOf(range, subnet)))
  if (open === undefined) return
  const command = proposeCommand(
    docker.map(({ subnet }) => subnet),
    context,
  )
  throw localIpam({ subnet: formatPrefix(open.subnet), command })
}

function isPartOf(range: Prefix, subnet: Prefix): boolean {
  return range.length > subnet.length && contains(subnet, range.address)
}

function proposeCommand(subnets: readonly Prefix[], context: SegmentContext): string {
  const ranges = subnets.map((subnet) => formatPrefix(proposePart(subnet, context.hostname)))
  return [
    `docker network create --driver=${context.driverName}`,
    ...(subnets.some(({ address }) => !isIpv4(address)) ? ['--ipv6'] : []),
    ...subnets.map(
      (subnet, index) => `--subnet=${formatPrefix(subnet)} --ip-range=${ranges[index] ?? ''}`,
    ),
    `-o ${rangeOption}=${ranges.join(',')} NAME`,
  ].join(' ')
}

/**
 * A part of the subnet picked by the host's name, so that hosts are rarely offered the same. Never
 * the first part: the address that Docker gives to a gateway is in there.
 */
export function proposePart(subnet: Prefix, hostname: string): Prefix {
  const bytes = ipBytes(subnet.address)
  const width = Math.min(proposedBits, bytes.length * 8 - leastHostBits - subnet.length)
  if (width <= 0) return subnet
  const part = 1 + (hash(hostname) % (2 ** width - 1))
  const length = subnet.length + width
  const address = ipFromBytes(bytes.map((byte, index) => byte | byteOf(part, { length, index })))
  return { address: address ?? subnet.address, length }
}

/** What `part`, shifted so that its last bit is the last of the first `length`, has in byte `index`. */
function byteOf(part: number, { length, index }: { length: number; index: number }): number {
  const shift = (index + 1) * 8 - length
  return Math.floor(part * 2 ** shift) & 0xff
}

function hash(text: string): number {
  let sum = 0
  for (const letter of text) sum = (Math.imul(sum, 31) + (letter.codePointAt(0) ?? 0)) >>> 0
  return sum
}
