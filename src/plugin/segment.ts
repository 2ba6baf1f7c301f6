/**
 * Which network of the cluster a network of one Docker engine is.
 *
 * Pure. In global scope all engines know a network by one ID, so that ID it is. In local scope each
 * engine makes up its own, and does not tell the name that the user typed; two of them are the same
 * network if the user named it (`-o weave.network=NAME`), or else if their first subnet is the same.
 *
 * In local scope there is a trap: Docker's own address management counts from the start of the
 * subnet on every host. So it is refused, with the command that takes ours instead. The subnet is left out
 * of it: whether the user gave it or Docker chose it, we are not told.
 */

import type { NetworkSpec } from '../control/messages.ts'
import type { CreateNetworkRequest, IpamData } from '../docker/driver-messages.ts'
import type { Scope } from '../docker/remote-driver.ts'
import { isIpv4, minIpv6MtuBytes } from '../model/address.ts'
import type { NetworkId } from '../model/cluster.ts'
import { idOfSubnet, segmentOption } from '../model/definition.ts'
import { badNetworkOption, localIpam, networkUnnamed } from '../model/faults.ts'
import { formatPrefix, networkOf, parsePrefix } from '../model/prefix.ts'
import type { Prefix } from '../model/prefix.ts'
import { mtuOption } from './options.ts'
import type { NetworkOptions } from './options.ts'

export interface Segment {
  readonly id: NetworkId
  readonly spec: NetworkSpec
}

export interface SegmentContext {
  readonly scope: Scope
  /** As in `docker network create --driver=NAME`. */
  readonly driverName: string
}

/** What Docker's built-in address management calls its own in local scope. */
const dockerLocalSpace = 'LocalDefault'
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
    throw badNetworkOption(
      segmentOption,
      'in global scope Docker itself names the network everywhere',
    )
  }
  refuseDockerIpam(pools, context)
  const id = options.name ?? idOfSubnet(pools[0]?.subnet)
  if (id === undefined) throw networkUnnamed()
  return { id, spec }
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

function refuseDockerIpam(pools: readonly Pool[], { driverName }: SegmentContext): void {
  const docker = pools.filter(({ space }) => space === dockerLocalSpace)
  const [first] = docker
  if (first === undefined) return
  const hasIpv6 = docker.some(({ subnet }) => !isIpv4(subnet.address))
  const command = [
    `docker network create --driver=${driverName} --ipam-driver=${driverName}`,
    ...(hasIpv6 ? ['--ipv6'] : []),
    'NAME',
  ].join(' ')
  throw localIpam({ subnet: formatPrefix(first.subnet), command })
}
