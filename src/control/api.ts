/**
 * What a router can be asked to do, as functions: the same interface at both ends of the socket.
 *
 * The router implements it; the client of `client.ts` is the same thing spoken over HTTP, so whoever
 * needs a router (plugin, CLI) takes this interface and cannot tell the difference.
 *
 * Every call is safe to repeat. Faults are thrown, with the router's own code and remedy.
 */

import type { IpAddress } from '../model/address.ts'
import type { EndpointId, NetworkId } from '../model/cluster.ts'
import type { PoolId } from '../model/pool.ts'
import type {
  AddressReply,
  AddressSpec,
  DriverSpec,
  EndpointReply,
  EndpointSpec,
  JoinReply,
  JoinSpec,
  Holdings,
  LookupReply,
  LookupSpec,
  NameFilter,
  NameSpec,
  NetworkReply,
  NetworkSpec,
  PoolReply,
  PoolSpec,
  RemovedNames,
  RemovedPeer,
  ResetReply,
  Status,
} from './messages.ts'

export interface CallOptions {
  /** Aborts when the caller cannot use the result any more. */
  readonly signal: AbortSignal
}

export interface RouterApi {
  readonly status: (options: CallOptions) => Promise<Status>
  readonly putNetwork: (
    id: NetworkId,
    spec: NetworkSpec,
    options: CallOptions,
  ) => Promise<NetworkReply>
  /** An unknown ID is no error. */
  readonly deleteNetwork: (id: NetworkId, options: CallOptions) => Promise<void>
  readonly putEndpoint: (
    id: EndpointId,
    spec: EndpointSpec,
    options: CallOptions,
  ) => Promise<EndpointReply>
  readonly joinEndpoint: (
    id: EndpointId,
    spec: JoinSpec,
    options: CallOptions,
  ) => Promise<JoinReply>
  /** An unknown ID is no error. */
  readonly leaveEndpoint: (id: EndpointId, options: CallOptions) => Promise<void>
  /** An unknown ID is no error. */
  readonly deleteEndpoint: (id: EndpointId, options: CallOptions) => Promise<void>
  readonly holdings: (options: CallOptions) => Promise<Holdings>
  readonly holdPool: (spec: PoolSpec, options: CallOptions) => Promise<PoolReply>
  /** An unknown ID is no error. */
  readonly releasePool: (id: PoolId, options: CallOptions) => Promise<void>
  readonly grantAddress: (
    pool: PoolId,
    spec: AddressSpec,
    options: CallOptions,
  ) => Promise<AddressReply>
  /** What is unknown is no error. */
  readonly releaseAddress: (pool: PoolId, address: IpAddress, options: CallOptions) => Promise<void>
  /** Adds a name by hand, on this host. */
  readonly addName: (spec: NameSpec, options: CallOptions) => Promise<void>
  /** Of those that were added on this host. */
  readonly removeNames: (filter: NameFilter, options: CallOptions) => Promise<RemovedNames>
  readonly lookup: (spec: LookupSpec, options: CallOptions) => Promise<LookupReply>
  /** Networks of a driver in local scope are spread over the engines from then on. */
  readonly putDriver: (name: string, spec: DriverSpec, options: CallOptions) => Promise<void>
  /** @param host a name or an ID. */
  readonly removePeer: (host: string, options: CallOptions) => Promise<RemovedPeer>
  /** Resolves once the router has begun to end; it must still deliver this reply. */
  readonly stop: (options: CallOptions) => Promise<void>
  /** Resolves when everything of ours is removed; then the router ends as for `stop`. */
  readonly reset: (options: CallOptions) => Promise<ResetReply>
}
