/**
 * What is said on the router's local socket: every request and reply, checked at both ends.
 *
 * HTTP and JSON over a unix socket that only root can open. Paths begin with the version; a router
 * answers exactly the versions it knows, so that an old CLI meets a clear error, not a surprise.
 *
 *   GET    /v1/status                       → Status
 *   PUT    /v1/networks/:id   NetworkSpec   → NetworkReply     make or update; same ID = same network
 *   DELETE /v1/networks/:id                 → {}               unknown ID is no error
 *   PUT    /v1/endpoints/:id  EndpointSpec  → EndpointReply    idempotent by ID
 *   POST   /v1/endpoints/:id/join  JoinSpec → JoinReply
 *   POST   /v1/endpoints/:id/leave          → {}
 *   DELETE /v1/endpoints/:id                → {}               unknown ID is no error
 *   GET    /v1/pools                        → Holdings         what this host has of which pools
 *   POST   /v1/pools          PoolSpec      → PoolReply        holds a pool of addresses once more
 *   POST   /v1/pools/:id/release            → {}               unknown ID is no error
 *   POST   /v1/pools/:id/addresses  AddressSpec → AddressReply
 *   DELETE /v1/pools/:id/addresses/:address → {}               unknown is no error
 *   POST   /v1/names          NameSpec      → {}               adds a name by hand; twice is once
 *   POST   /v1/names/remove   NameFilter    → RemovedNames     nothing of the kind is no error
 *   POST   /v1/names/lookup   LookupSpec    → LookupReply      as this host itself may know it
 *   PUT    /v1/drivers/:name  DriverSpec    → {}               a plugin says that it serves Docker here
 *   DELETE /v1/peers/:host                  → RemovedPeer      by name or ID: its addresses are for others
 *   POST   /v1/stop                         → {}               the router ends; traffic goes on
 *   POST   /v1/reset                        → ResetReply       removes our links, rules, records, then ends
 *
 * and on the TCP control port, for other routers:
 *
 *   GET    /v1/cluster                      → ClusterReply
 *   POST   /v1/ipam/help      HelpSpec      → HelpReply        a block or an address, for a host that has run out
 *   POST   /v1/ipam/forget    ForgetSpec    → ForgetReply      take back what you have lent to a host that is gone
 *   POST   /v1/ipam/holds     HoldsSpec     → HoldsReply       which of these do you still have?
 */

import { z } from 'zod'
import { isIpAddress, isIpv4, isUnicastMac } from '../model/address.ts'
import type { IpAddress, Mac } from '../model/address.ts'
import { isEndpointId, isHostId, isNetworkId, isVni } from '../model/cluster.ts'
import type { EndpointId, HostId, NetworkId, Vni } from '../model/cluster.ts'
import { isName } from '../model/name.ts'
import { isPoolId } from '../model/pool.ts'
import type { PoolId } from '../model/pool.ts'
import { parsePrefix } from '../model/prefix.ts'
import { maxAddresses } from '../model/static-name.ts'

const ipAddress = z.custom<IpAddress>(isIpAddress, 'not an IP address')
const mac = z.custom<Mac>(isUnicastMac, 'not a MAC address of an interface')
const hostId = z.custom<HostId>(isHostId, 'not a host ID')
const networkId = z.custom<NetworkId>(isNetworkId, 'not a network ID')
const endpointId = z.custom<EndpointId>(isEndpointId, 'not an endpoint ID')
const vni = z.custom<Vni>(isVni, 'not a VNI')
const cidr = z.string().refine((text) => parsePrefix(text) !== undefined, 'not ADDRESS/LENGTH')
const poolId = z.custom<PoolId>(isPoolId, 'not a pool ID')
const port = z.number().int().min(1).max(65_535)
const dnsName = z.string().refine(isName, 'not a name in lower case without a dot at its end')
/** 576 is IPv4's least (RFC 791), 65535 the kernel's most. */
const mtuBytes = z.number().int().min(576).max(65_535)

export const networkSpec = z.strictObject({
  subnets: z.array(cidr).max(16),
  mtuBytes: mtuBytes.optional(),
  multicast: z.boolean(),
})

export const networkReply = z.strictObject({
  id: networkId,
  vni,
  /** What the containers' interfaces get: the asked value or the underlay's, whichever is less. */
  mtuBytes,
})

export const endpointSpec = z.strictObject({
  network: networkId,
  /** Interface addresses with prefix length, at most one per family; empty for none. */
  addresses: z.array(cidr).max(2).refine(areOfTwoFamilies, 'two addresses of one family'),
  /** Chosen by the user; otherwise the router makes one. */
  mac: mac.optional(),
  /** Local scope: the engine's own ID of the network. */
  dockerNetwork: z.string().max(128).optional(),
})

function areOfTwoFamilies(addresses: readonly string[]): boolean {
  const families = addresses.map((text) => isIpv4(parsePrefix(text)?.address))
  return new Set(families).size === families.length
}

export const endpointReply = z.strictObject({ mac })

export const joinSpec = z.strictObject({
  /** Docker's SandboxKey: path of the container's network namespace; may not exist yet. */
  sandbox: z.string().max(4096),
})

export const joinReply = z.strictObject({
  /** Interface in the host's namespace that is to be moved into the container. */
  link: z.string(),
  /** Subnets that the container reaches through this interface besides its own. */
  connectedRoutes: z.array(cidr),
})

export const poolSpec = z.strictObject({
  /** `global`: this host asks for all of them. */
  space: z.enum(['local', 'global']),
  family: z.union([z.literal(4), z.literal(6)]),
  /** One is chosen when there is none. */
  subnet: cidr.optional(),
  /** The part of the subnet from which addresses are chosen. */
  range: cidr.optional(),
  /** Prefix length of a subnet that is chosen. */
  length: z.number().int().min(1).max(128).optional(),
})

export const poolReply = z.strictObject({ id: poolId, subnet: cidr })

export const addressSpec = z.strictObject({
  /** One is chosen when there is none. */
  address: ipAddress.optional(),
  /** `reserved`: a gateway or the like, the same on every host and for no container. */
  use: z.enum(['container', 'reserved']),
})

/** With the length of its subnet. */
export const addressReply = z.strictObject({ address: cidr })

export const helpSpec = z.strictObject({
  pool: poolId,
  borrower: hostId,
  want: z.enum(['block', 'address', 'reserve']),
  address: ipAddress.optional(),
  urgent: z.boolean(),
})

export const helpReply = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('block'), block: z.string() }),
  z.strictObject({ kind: z.literal('address'), address: ipAddress }),
  z.strictObject({ kind: z.literal('reserved') }),
  z.strictObject({ kind: z.literal('none'), reason: z.string() }),
])

export const holdsSpec = z.strictObject({
  pool: poolId,
  addresses: z.array(ipAddress).max(65_536),
  /** Who asks. */
  lender: hostId,
  urgent: z.boolean(),
})

export const forgetSpec = z.strictObject({ gone: hostId })

export const forgetReply = z.strictObject({ addresses: z.number().int() })

export const removedPeer = z.strictObject({
  id: hostId,
  /** How many blocks, and how many lent addresses, others may have now. */
  blocks: z.number().int(),
  addresses: z.number().int(),
  /** Hosts that did not answer and may have lent it addresses. */
  silent: z.array(z.string()),
})

export const holdsReply = z.strictObject({ held: z.array(ipAddress), busy: z.boolean() })

const namePlace = {
  /** A name, an ID, or the beginning of one, of this host's engine. */
  container: z.string().min(1).max(255).optional(),
  /** A name or an ID of the engine, or a network's ID: nobody else sees the name. */
  network: z.string().min(1).max(255).optional(),
}

export const nameSpec = z
  .strictObject({ name: dnsName, addresses: z.array(ipAddress).max(maxAddresses), ...namePlace })
  .refine(
    ({ addresses, container }) => addresses.length > 0 || container !== undefined,
    'neither addresses nor a container',
  )

/** All of it must match; what is left out matches everything. */
export const nameFilter = z
  .strictObject({
    name: dnsName.optional(),
    addresses: z.array(ipAddress).max(maxAddresses),
    ...namePlace,
  })
  .refine(
    ({ name, addresses, container }) =>
      name !== undefined || addresses.length > 0 || container !== undefined,
    'neither a name nor addresses nor a container',
  )

export const removedNames = z.strictObject({ removed: z.number().int() })

/** A name or an address. */
export const lookupSpec = z.strictObject({ what: z.string().min(1).max(255) })

/** Addresses of a name or names of an address, in order; none when nothing is known. */
export const lookupReply = z.strictObject({ found: z.array(z.string()) })

export const driverSpec = z.strictObject({ scope: z.enum(['global', 'local']) })

export const holdings = z.strictObject({
  pools: z.array(
    z.strictObject({
      id: poolId,
      /** How often Docker holds it here. */
      refs: z.number().int(),
      /** Addresses that Docker has taken here, and when: milliseconds since 1970. */
      used: z.array(z.strictObject({ address: ipAddress, sinceMs: z.number() })),
    }),
  ),
})

export const resetReply = z.strictObject({
  /** What was removed, by kind: links, rules, records, files. */
  removed: z.record(z.string(), z.number()),
})

/** A host as others see it. */
const peer = z.strictObject({
  id: hostId,
  nickname: z.string(),
  address: ipAddress,
  controlPort: port,
  dataPort: port,
  version: z.string(),
  /** The host that answers this request. */
  self: z.boolean(),
  endpoints: z.number().int(),
})

const networkStatus = z.strictObject({
  id: networkId,
  vni,
  subnets: z.array(z.string()),
  mtuBytes,
  multicast: z.boolean(),
  /** Host interface names; absent while no container of this host is attached. */
  bridge: z.string().optional(),
  tunnel: z.string().optional(),
  localEndpoints: z.number().int(),
  remoteEndpoints: z.number().int(),
})

/** A network that is spread over the engines, as this host's engine has it. */
const definitionStatus = z.strictObject({
  driver: z.string(),
  name: z.string(),
  /** The segment that it is; joins it with `networks`. */
  network: networkId.optional(),
  /** The engine's own ID of it. */
  dockerId: z.string().optional(),
  subnets: z.array(z.string()),
  /**
   * `leaving`: removed elsewhere, still used here. `conflict`: the engine has another of this name.
   * `pending`: to be made, changed or removed here, and on the way.
   */
  state: z.enum(['everywhere', 'pending', 'leaving', 'conflict']),
  problem: z.string().optional(),
})

const endpointStatus = z.strictObject({
  id: endpointId,
  network: networkId,
  host: hostId,
  nickname: z.string(),
  mac,
  addresses: z.array(ipAddress),
  local: z.boolean(),
  /** The first 12 hex digits of its container's ID, and what it is called; unknown at first. */
  container: z.string().optional(),
  names: z.array(z.string()),
  /** What Docker calls the network; known with the names. */
  networkName: z.string().optional(),
  /** Local endpoints only: `created` until Docker has moved the interface, `left` once it is back. */
  phase: z.enum(['created', 'joined', 'left']).optional(),
  /** Local endpoints only: ISO 8601, last change of phase. */
  since: z.string().optional(),
  /** Local endpoints only: the host's end of the veth. */
  link: z.string().optional(),
})

/** A pool of addresses as this host sees it. */
const poolStatus = z.strictObject({
  id: poolId,
  subnet: cidr,
  range: cidr,
  /** How many addresses containers can have; a text, since IPv6 has more than a number can say. */
  size: z.string(),
  reserved: z.array(ipAddress),
  hosts: z.array(
    z.strictObject({
      host: hostId,
      nickname: z.string(),
      /** Blocks that it hands out addresses of, and how many addresses those have. */
      blocks: z.number().int(),
      addresses: z.string(),
      /** Addresses of its containers. */
      used: z.number().int(),
    }),
  ),
  /** Addresses that no host has a block of. */
  free: z.string(),
})

/** A name that was added by hand. */
const addedName = z.strictObject({
  name: z.string(),
  /** None: those of its container. */
  addresses: z.array(ipAddress),
  network: networkId.optional(),
  /** The first 12 hex digits of its ID. */
  container: z.string().optional(),
  host: hostId,
  nickname: z.string(),
  /** Whether it is known to anybody now: its container runs, or it has none. */
  said: z.boolean(),
})

const dnsStatus = z.strictObject({
  /** Otherwise names are left to Docker. */
  on: z.boolean(),
  domain: z.string(),
  ttlSeconds: z.number().int(),
  /** Where this host's own programs may ask. */
  listening: z.array(z.string()),
  /** How many containers are answered inside. */
  containers: z.number().int(),
  /** What happened to the questions, by what happened. */
  questions: z.record(z.string(), z.number()),
  /** For `docker run`; empty when there are none. */
  args: z.string(),
  added: z.array(addedName),
})

/** How a reconciled target fares. */
const targetStatus = z.strictObject({
  name: z.string(),
  state: z.enum(['settled', 'changing', 'failing']),
  passes: z.number().int(),
  /** Steps taken because the world had moved away from what we had left behind. */
  drift: z.number().int(),
  problem: z.string().optional(),
})

export const status = z.strictObject({
  version: z.string(),
  ready: z.boolean(),
  host: z.strictObject({
    id: hostId,
    nickname: z.string(),
    address: ipAddress,
    controlPort: port,
    dataPort: port,
    mtuBytes,
    /** How it is kept up, as told to the router by whoever started it. */
    runAs: z.enum(['foreground', 'process', 'container', 'systemd', 'plugin']),
    startedAt: z.string(),
    pid: z.number().int(),
  }),
  cluster: z.strictObject({ id: z.string().optional(), peers: z.array(z.string()) }),
  store: z.strictObject({
    kind: z.enum(['given', 'docker', 'managed', 'joined']),
    endpoints: z.array(z.string()),
    prefix: z.string(),
    connected: z.boolean(),
    problem: z.string().optional(),
    /** Keys under our prefix that no schema explains; left alone. */
    foreignKeys: z.array(z.string()),
    revision: z.string(),
  }),
  peers: z.array(peer),
  networks: z.array(networkStatus),
  /** Local scope only. */
  definitions: z.array(definitionStatus),
  endpoints: z.array(endpointStatus),
  pools: z.array(poolStatus),
  dns: dnsStatus,
  targets: z.array(targetStatus),
  /** Files and records that were set aside, and other things an operator should know. */
  warnings: z.array(z.string()),
})

export const clusterReply = z.strictObject({
  cluster: z.string(),
  host: hostId,
  nickname: z.string(),
  version: z.string(),
  store: z.strictObject({
    kind: z.enum(['given', 'docker', 'managed', 'joined']),
    /** As host:port, reachable from other hosts. */
    endpoints: z.array(z.string()).min(1),
    prefix: z.string(),
  }),
})

export const errorReply = z.strictObject({
  code: z.string(),
  message: z.string(),
  remedy: z.string(),
})

export const empty = z.strictObject({})

export type NetworkSpec = z.infer<typeof networkSpec>
export type NetworkReply = z.infer<typeof networkReply>
export type EndpointSpec = z.infer<typeof endpointSpec>
export type EndpointReply = z.infer<typeof endpointReply>
export type JoinSpec = z.infer<typeof joinSpec>
export type JoinReply = z.infer<typeof joinReply>
export type PoolSpec = z.infer<typeof poolSpec>
export type PoolReply = z.infer<typeof poolReply>
export type AddressSpec = z.infer<typeof addressSpec>
export type AddressReply = z.infer<typeof addressReply>
export type RemovedPeer = z.infer<typeof removedPeer>
export type Holdings = z.infer<typeof holdings>
export type HelpSpec = z.infer<typeof helpSpec>
export type HelpReply = z.infer<typeof helpReply>
export type HoldsSpec = z.infer<typeof holdsSpec>
export type HoldsReply = z.infer<typeof holdsReply>
export type NameSpec = z.infer<typeof nameSpec>
export type NameFilter = z.infer<typeof nameFilter>
export type RemovedNames = z.infer<typeof removedNames>
export type LookupSpec = z.infer<typeof lookupSpec>
export type LookupReply = z.infer<typeof lookupReply>
export type DriverSpec = z.infer<typeof driverSpec>
export type ResetReply = z.infer<typeof resetReply>
export type Status = z.infer<typeof status>
export type ClusterReply = z.infer<typeof clusterReply>
