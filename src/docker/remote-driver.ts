/**
 * Speaks Docker's driver protocols on a unix socket, and hands checked requests to the drivers: the
 * network driver's here, the address driver's in `ipam-driver.ts`.
 *
 *   dockerd ──POST /NetworkDriver.CreateEndpoint──▶ here ──createEndpoint(request)──▶ NetworkDriver
 *
 * What bites (all of it read in dockerd's source):
 *   - A reply must have status 200 and a JSON body; 204 is a failure, `{}` is success.
 *   - Errors: any other status, with the text under both "Err" and "Error". 404 means "no such
 *     method" and is ignored for some methods, so an unknown network must never be a 404.
 *   - Requests have no Content-Type, and an empty Host header before engine 20.10.26.
 *   - A broken connection makes dockerd send the request again with an empty body: refuse that,
 *     never take it for `{}`.
 *   - What the request had set (addresses, MAC) must not be in the reply, not even unchanged.
 *   - The handshake is asked once per life of dockerd: its answers wait for nothing.
 */

import { RequestError } from '../http/request-error.ts'
import type { Route } from '../http/routes.ts'
import { serveHttp } from '../http/server.ts'
import type { Exchange, HttpServer, Reply } from '../http/server.ts'
import type { Mac } from '../model/address.ts'
import type { NetworkId } from '../model/cluster.ts'
import { Fault } from '../model/fault.ts'
import { badRequest } from '../model/faults.ts'
import {
  allocateNetworkRequest,
  createEndpointRequest,
  createNetworkRequest,
  discoveryRequest,
  endpointRequest,
  joinRequest,
  networkRequest,
} from './driver-messages.ts'
import type {
  CreateEndpointRequest,
  CreateNetworkRequest,
  DiscoveredNode,
  EndpointRequest,
  JoinRequest,
} from './driver-messages.ts'
import { answer, call } from './driver-route.ts'
import { ipamCalls } from './ipam-driver.ts'
import type { IpamDriver } from './ipam-driver.ts'

export type Scope = 'global' | 'local'

export interface DriverCall {
  readonly signal: AbortSignal
}

/** Every call may come twice, late, or for something unknown; each must be safe to repeat. */
export interface NetworkDriver {
  readonly createNetwork: (request: CreateNetworkRequest, call: DriverCall) => Promise<void>
  /** In a swarm: this node has no use for it any more. Elsewhere: it is removed. */
  readonly deleteNetwork: (network: NetworkId, call: DriverCall) => Promise<void>
  /** Swarm managers only: the network is removed from the swarm. */
  readonly freeNetwork: (network: NetworkId, call: DriverCall) => Promise<void>
  /** Returns the interface's MAC, whether it was asked for or chosen. */
  readonly createEndpoint: (request: CreateEndpointRequest, call: DriverCall) => Promise<Mac>
  readonly join: (request: JoinRequest, call: DriverCall) => Promise<Attachment>
  readonly leave: (request: EndpointRequest, call: DriverCall) => Promise<void>
  readonly deleteEndpoint: (request: EndpointRequest, call: DriverCall) => Promise<void>
  /** Another host of the swarm or of the cluster store was found, perhaps not for the first time. */
  readonly discover: (node: DiscoveredNode) => void
}

export interface Attachment {
  /** Interface in the host's namespace that Docker moves into the container. */
  readonly link: string
  /** Docker appends a number: `ethwe` becomes `ethwe0`. */
  readonly containerPrefix: string
  /** Subnets in CIDR form that get a route through the interface. */
  readonly connectedRoutes: readonly string[]
}

export interface DriverServerOptions {
  /** Path of the socket; its base name is the driver's name. */
  readonly socket: string
  readonly scope: Scope
  readonly driver: NetworkDriver
  readonly ipam: IpamDriver
  readonly report?: (exchange: Exchange) => void
  readonly handlerMs?: number
}

const contentType = 'application/vnd.docker.plugins.v1.2+json'
/** RouteType of the protocol: a route through the interface, without a next hop. */
const connectedRoute = 1

/** @throws Fault SOCKET_IN_USE, BAD_ARGUMENT */
export function serveDriver({
  socket,
  scope,
  driver,
  ipam,
  report,
  handlerMs = 15_000,
}: DriverServerOptions): Promise<HttpServer> {
  return serveHttp({
    address: { kind: 'unix', path: socket },
    routes: [
      ...handshake(scope),
      ...networkCalls(driver),
      ...endpointCalls(driver),
      ...discoveryCalls(driver),
      ...idleCalls(),
      ...ipamCalls(ipam),
    ],
    renderError,
    contentType,
    handlerMs,
    ...(report === undefined ? {} : { report }),
  })
}

function handshake(scope: Scope): Route[] {
  return [
    answer('/Plugin.Activate', { Implements: ['NetworkDriver', 'IpamDriver'] }),
    answer('/NetworkDriver.GetCapabilities', { Scope: scope, ConnectivityScope: 'global' }),
  ]
}

function networkCalls(driver: NetworkDriver): Route[] {
  return [
    call('NetworkDriver.CreateNetwork', createNetworkRequest, (request, { signal }) =>
      driver.createNetwork(request, { signal }),
    ),
    call('NetworkDriver.DeleteNetwork', networkRequest, ({ NetworkID }, { signal }) =>
      driver.deleteNetwork(NetworkID, { signal }),
    ),
    call('NetworkDriver.FreeNetwork', networkRequest, ({ NetworkID }, { signal }) =>
      driver.freeNetwork(NetworkID, { signal }),
    ),
    // Swarm managers keep only the options that come back.
    call('NetworkDriver.AllocateNetwork', allocateNetworkRequest, async ({ Options }) => ({
      Options,
    })),
  ]
}

function endpointCalls(driver: NetworkDriver): Route[] {
  return [
    call('NetworkDriver.CreateEndpoint', createEndpointRequest, async (request, { signal }) => {
      const mac = await driver.createEndpoint(request, { signal })
      return request.Interface?.MacAddress === undefined ? { Interface: { MacAddress: mac } } : {}
    }),
    call('NetworkDriver.Join', joinRequest, async (request, { signal }) =>
      joinReply(await driver.join(request, { signal })),
    ),
    call('NetworkDriver.Leave', endpointRequest, (request, { signal }) =>
      driver.leave(request, { signal }),
    ),
    call('NetworkDriver.DeleteEndpoint', endpointRequest, (request, { signal }) =>
      driver.deleteEndpoint(request, { signal }),
    ),
  ]
}

/** Docker also tells of keys for its own overlay, and of nodes that leave: neither is of use here. */
function discoveryCalls(driver: NetworkDriver): Route[] {
  return [
    call('NetworkDriver.DiscoverNew', discoveryRequest, async ({ node }) => {
      if (node !== undefined) driver.discover(node)
    }),
    answer('/NetworkDriver.DiscoverDelete', {}),
  ]
}

/** Calls that change nothing here and must not be what a container's start fails for. */
function idleCalls(): Route[] {
  return [
    answer('/NetworkDriver.EndpointOperInfo', { Value: {} }),
    answer('/NetworkDriver.GwAllocCheck', { SkipIPv4: false, SkipIPv6: false }),
    answer('/NetworkDriver.ProgramExternalConnectivity', {}),
    answer('/NetworkDriver.RevokeExternalConnectivity', {}),
  ]
}

/** No gateway: Docker adds its own bridge for the way out and for published ports. */
function joinReply({ link, containerPrefix, connectedRoutes }: Attachment): unknown {
  return {
    InterfaceName: { SrcName: link, DstPrefix: containerPrefix },
    StaticRoutes: connectedRoutes.map((Destination) => ({
      Destination,
      RouteType: connectedRoute,
    })),
  }
}

function renderError(error: unknown): Reply {
  const text = errorText(error)
  return { status: statusOf(error), body: { Err: text, Error: text } }
}

function statusOf(error: unknown): number {
  if (error instanceof RequestError) return error.status
  return error instanceof Fault && error.code === 'BAD_REQUEST' ? 400 : 500
}

/** One line, because that is what Docker shows to whoever typed the command. */
function errorText(error: unknown): string {
  if (error instanceof Fault) return `${error.message}. ${error.remedy} [${error.code}]`
  if (error instanceof RequestError) return badRequest(error.message).message
  return `unexpected failure: ${error instanceof Error ? error.message : String(error)}`
}
