/**
 * The router's end of its local socket: paths and checked messages in, calls of `RouterApi` out.
 *
 * Nothing reaches the router that its schema or its guard has not accepted, and every refusal names
 * the field and the value. Deadlines are the last resort here; the router has shorter ones inside.
 */

import type { Call, Route } from '../http/routes.ts'
import { serveHttp } from '../http/server.ts'
import type { Exchange, HttpServer } from '../http/server.ts'
import { parseIp } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import { isEndpointId, isNetworkId } from '../model/cluster.ts'
import type { EndpointId, NetworkId } from '../model/cluster.ts'
import { isDriverName } from '../model/definition.ts'
import { badRequest, poolUnknown } from '../model/faults.ts'
import { isPoolId } from '../model/pool.ts'
import type { PoolId } from '../model/pool.ts'
import type { RouterApi } from './api.ts'
import { check } from './check.ts'
import { renderFault } from './errors.ts'
import {
  addressSpec,
  driverSpec,
  empty,
  endpointSpec,
  joinSpec,
  lookupSpec,
  nameFilter,
  nameSpec,
  networkSpec,
  poolSpec,
} from './messages.ts'

export interface ControlOptions {
  /** Path of the unix socket; its directory is made if missing. */
  readonly socket: string
  readonly router: RouterApi
  readonly report?: (exchange: Exchange) => void
  /** For each call but reset. */
  readonly deadlineMs?: number
}

/** Less than the plugin's own deadline, so that it hears of ours. */
const defaultDeadlineMs = 12_000
/** Removing thousands of links takes a while. */
const resetDeadlineMs = 120_000

/** @throws Fault SOCKET_IN_USE when a router answers there already. */
export function serveControl({
  socket,
  router,
  report,
  deadlineMs = defaultDeadlineMs,
}: ControlOptions): Promise<HttpServer> {
  return serveHttp({
    address: { kind: 'unix', path: socket },
    routes: [
      ...networkRoutes(router),
      ...endpointRoutes(router),
      ...poolRoutes(router),
      ...nameRoutes(router),
      driverRoute(router),
      ...processRoutes(router),
    ],
    renderError: renderFault,
    handlerMs: deadlineMs,
    ...(report === undefined ? {} : { report }),
  })
}

function networkRoutes(router: RouterApi): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/networks/:id',
      handle: async ({ params, body, signal }) =>
        router.putNetwork(networkIdOf(params), check(networkSpec, body), { signal }),
    },
    {
      method: 'DELETE',
      path: '/v1/networks/:id',
      handle: async ({ params, signal }) => router.deleteNetwork(networkIdOf(params), { signal }),
    },
  ]
}

function endpointRoutes(router: RouterApi): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/endpoints/:id',
      handle: async ({ params, body, signal }) =>
        router.putEndpoint(endpointIdOf(params), check(endpointSpec, body), { signal }),
    },
    {
      method: 'POST',
      path: '/v1/endpoints/:id/join',
      handle: async ({ params, body, signal }) =>
        router.joinEndpoint(endpointIdOf(params), check(joinSpec, body), { signal }),
    },
    {
      method: 'POST',
      path: '/v1/endpoints/:id/leave',
      handle: async ({ params, signal }) => router.leaveEndpoint(endpointIdOf(params), { signal }),
    },
    {
      method: 'DELETE',
      path: '/v1/endpoints/:id',
      handle: async ({ params, signal }) => router.deleteEndpoint(endpointIdOf(params), { signal }),
    },
  ]
}

function poolRoutes(router: RouterApi): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/pools',
      handle: async ({ signal }) => router.holdings({ signal }),
    },
    {
      method: 'POST',
      path: '/v1/pools',
      handle: async ({ body, signal }) => router.holdPool(check(poolSpec, body), { signal }),
    },
    {
      method: 'POST',
      path: '/v1/pools/:id/release',
      handle: async ({ params, signal }) => router.releasePool(poolIdOf(params), { signal }),
    },
    {
      method: 'POST',
      path: '/v1/pools/:id/addresses',
      handle: async ({ params, body, signal }) =>
        router.grantAddress(poolIdOf(params), check(addressSpec, body), { signal }),
    },
    {
      method: 'DELETE',
      path: '/v1/pools/:id/addresses/:address',
      handle: async ({ params, signal }) =>
        router.releaseAddress(poolIdOf(params), addressOf(params), { signal }),
    },
  ]
}

function nameRoutes(router: RouterApi): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/names',
      handle: async ({ body, signal }) => router.addName(check(nameSpec, body), { signal }),
    },
    {
      method: 'POST',
      path: '/v1/names/remove',
      handle: async ({ body, signal }) => router.removeNames(check(nameFilter, body), { signal }),
    },
    {
      method: 'POST',
      path: '/v1/names/lookup',
      handle: async ({ body, signal }) => router.lookup(check(lookupSpec, body), { signal }),
    },
  ]
}

function driverRoute(router: RouterApi): Route {
  return {
    method: 'PUT',
    path: '/v1/drivers/:name',
    handle: async ({ params, body, signal }) =>
      router.putDriver(driverNameOf(params), check(driverSpec, body), { signal }),
  }
}

function processRoutes(router: RouterApi): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/status',
      handle: async ({ signal }) => router.status({ signal }),
    },
    {
      method: 'DELETE',
      path: '/v1/peers/:host',
      handle: async ({ params, signal }) => router.removePeer(params['host'] ?? '', { signal }),
    },
    {
      method: 'POST',
      path: '/v1/stop',
      handle: async ({ body, signal }) => {
        check(empty, body ?? {})
        return router.stop({ signal })
      },
    },
    {
      method: 'POST',
      path: '/v1/reset',
      deadlineMs: resetDeadlineMs,
      handle: async ({ body, signal }) => {
        check(empty, body ?? {})
        return router.reset({ signal })
      },
    },
  ]
}

function driverNameOf({ name }: Call['params']): string {
  if (!isDriverName(name)) throw badRequest(`not a driver's name: ${JSON.stringify(name)}`)
  return name
}

function networkIdOf({ id }: Call['params']): NetworkId {
  if (!isNetworkId(id)) throw badRequest(`not a network ID: ${JSON.stringify(id)}`)
  return id
}

function endpointIdOf({ id }: Call['params']): EndpointId {
  if (!isEndpointId(id)) throw badRequest(`not an endpoint ID: ${JSON.stringify(id)}`)
  return id
}

function poolIdOf({ id }: Call['params']): PoolId {
  if (!isPoolId(id)) throw poolUnknown(id ?? '')
  return id
}

function addressOf({ address = '' }: Call['params']): IpAddress {
  const ip = parseIp(address)
  if (ip === undefined) throw badRequest(`not an IP address: ${JSON.stringify(address)}`)
  return ip
}
