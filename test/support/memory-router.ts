/**
 * A router without a kernel and without a cluster: the plugin's outside edge, for its tests.
 *
 * Keeps what it is told, in order, and behaves as the real one promises: repeated calls have the
 * same result, unknown IDs are no error, an endpoint in an unknown network makes that network.
 */

import type { RouterApi } from '../../src/control/api.ts'
import type { DriverSpec, EndpointSpec, NetworkSpec, Status } from '../../src/control/messages.ts'
import { isIpAddress, isMac } from '../../src/model/address.ts'
import type { Mac } from '../../src/model/address.ts'
import { isHostId, isVni } from '../../src/model/cluster.ts'
import type { EndpointId, NetworkId } from '../../src/model/cluster.ts'
import { isPoolId } from '../../src/model/pool.ts'
import { parsePrefix } from '../../src/model/prefix.ts'

export type MemoryRouter = RouterApi & MemoryState

interface MemoryState {
  /** Each call as one text, in the order of arrival. */
  readonly calls: string[]
  readonly networks: Map<NetworkId, NetworkSpec>
  readonly endpoints: Map<EndpointId, MemoryEndpoint>
  /** Scopes by name; said now and then, so it is not among the calls. */
  readonly drivers: Map<string, string>
  /** Names that were added, each with its addresses or "container". */
  readonly names: Map<string, readonly string[]>
  /** What `docker run` would need. */
  dnsArgs: string
  /** Awaited by every call before it does anything; replace it to delay or to fail. */
  hook: (call: string) => Promise<void>
}

export interface MemoryEndpoint {
  readonly spec: EndpointSpec
  readonly mac: Mac
  phase: 'created' | 'joined'
  since: string
  local: boolean
}

export function createMemoryRouter(): MemoryRouter {
  const state: MemoryState = {
    calls: [],
    networks: new Map(),
    endpoints: new Map(),
    drivers: new Map(),
    names: new Map(),
    dnsArgs: '',
    hook: async () => {},
  }
  async function enter(call: string): Promise<void> {
    state.calls.push(call)
    await state.hook(call)
  }
  return Object.assign(state, networkCalls(state, enter), endpointCalls(state, enter), {
    ...poolCalls(enter),
    ...nameCalls(state, enter),
    async removePeer(host: string) {
      await enter(`remove-peer ${host}`)
      return { id: must(isHostId, host), blocks: 0, addresses: 0, silent: [] }
    },
    async status() {
      await state.hook('status')
      return statusOf(state)
    },
    async putDriver(name: string, { scope }: DriverSpec) {
      state.drivers.set(name, scope)
    },
    async stop() {
      await enter('stop')
    },
    async reset() {
      await enter('reset')
      return { removed: {} }
    },
  })
}

type Enter = (call: string) => Promise<void>

function networkCalls(
  { networks }: MemoryState,
  enter: Enter,
): Pick<RouterApi, 'putNetwork' | 'deleteNetwork'> {
  return {
    async putNetwork(id, spec) {
      await enter(`put-network ${id}`)
      networks.set(id, spec)
      return { id, vni: must(isVni, 1), mtuBytes: spec.mtuBytes ?? 1450 }
    },
    async deleteNetwork(id) {
      await enter(`delete-network ${id}`)
      networks.delete(id)
    },
  }
}

function endpointCalls(
  { networks, endpoints }: MemoryState,
  enter: Enter,
): Pick<RouterApi, 'putEndpoint' | 'joinEndpoint' | 'leaveEndpoint' | 'deleteEndpoint'> {
  return {
    async putEndpoint(id, spec) {
      await enter(`put-endpoint ${id}`)
      if (!networks.has(spec.network)) networks.set(spec.network, { subnets: [], multicast: false })
      const mac = spec.mac ?? must(isMac, '02:42:0a:20:00:02')
      endpoints.set(id, {
        spec,
        mac,
        phase: 'created',
        since: new Date().toISOString(),
        local: true,
      })
      return { mac }
    },
    async joinEndpoint(id) {
      await enter(`join-endpoint ${id}`)
      const endpoint = endpoints.get(id)
      if (endpoint === undefined) throw new Error(`no endpoint ${id}`)
      endpoint.phase = 'joined'
      const multicast = networks.get(endpoint.spec.network)?.multicast === true
      return { link: `wvc${id.slice(0, 12)}`, connectedRoutes: multicast ? ['224.0.0.0/4'] : [] }
    },
    async leaveEndpoint(id) {
      await enter(`leave-endpoint ${id}`)
    },
    async deleteEndpoint(id) {
      await enter(`delete-endpoint ${id}`)
      endpoints.delete(id)
    },
  }
}

/** A name is one record here; who may know it is for the real one. */
function nameCalls(
  { names }: MemoryState,
  enter: Enter,
): Pick<RouterApi, 'addName' | 'removeNames' | 'lookup'> {
  return {
    async addName(spec) {
      await enter(`add-name ${JSON.stringify(spec)}`)
      names.set(spec.name, spec.addresses)
    },
    async removeNames(filter) {
      await enter(`remove-names ${JSON.stringify(filter)}`)
      return { removed: names.delete(filter.name ?? '') ? 1 : 0 }
    },
    async lookup({ what }) {
      await enter(`lookup ${what}`)
      return { found: [...(names.get(what) ?? [])] }
    },
  }
}

/** Addresses in a row, never taken back. */
function poolCalls(
  enter: Enter,
): Pick<RouterApi, 'holdings' | 'holdPool' | 'releasePool' | 'grantAddress' | 'releaseAddress'> {
  let last = 1
  return {
    holdings: async () => ({ pools: [] }),
    async holdPool({ space, subnet = '10.32.0.0/24' }) {
      await enter(`hold-pool ${space} ${subnet}`)
      return { id: must(isPoolId, `${space}_${subnet.replace('/', '-')}`), subnet }
    },
    async releasePool(id) {
      await enter(`release-pool ${id}`)
    },
    async grantAddress(pool, { address, use }) {
      await enter(`grant ${use} ${pool} ${address ?? 'any'}`)
      last += 1
      return { address: `${address ?? `10.32.0.${last}`}/24` }
    },
    async releaseAddress(pool, address) {
      await enter(`release ${pool} ${address}`)
    },
  }
}

const nothing: Pick<Status, 'peers' | 'definitions' | 'pools' | 'dns' | 'targets' | 'warnings'> = {
  peers: [],
  definitions: [],
  pools: [],
  dns: {
    on: true,
    domain: 'weave.local',
    ttlSeconds: 1,
    listening: [],
    containers: 0,
    questions: {},
    args: '',
    added: [],
  },
  targets: [],
  warnings: [],
}

function statusOf({ networks, endpoints, dnsArgs }: MemoryState): Status {
  const address = must(isIpAddress, '192.0.2.1')
  const id = must(isHostId, 'h1')
  return {
    version: '0',
    ready: true,
    host: {
      id,
      nickname: 'one',
      address,
      controlPort: 6783,
      dataPort: 6784,
      mtuBytes: 1500,
      runAs: 'foreground',
      startedAt: new Date().toISOString(),
      pid: 1,
    },
    ...nothing,
    dns: { ...nothing.dns, args: dnsArgs },
    cluster: { peers: [] },
    store: {
      kind: 'managed',
      endpoints: [],
      prefix: '/weave/v1',
      connected: true,
      foreignKeys: [],
      revision: '1',
    },
    networks: [...networks].map(([network, { subnets, multicast }]) => ({
      id: network,
      vni: must(isVni, 1),
      subnets,
      mtuBytes: 1450,
      multicast,
      localEndpoints: 0,
      remoteEndpoints: 0,
    })),
    endpoints: [...endpoints].map(([endpoint, { spec, mac, phase, since, local }]) => ({
      id: endpoint,
      network: spec.network,
      host: id,
      nickname: 'one',
      mac,
      local,
      addresses: spec.addresses.flatMap((text) => parsePrefix(text)?.address ?? []),
      names: [],
      ...(local ? { phase, since } : {}),
    })),
  }
}

export function must<T>(guard: (value: unknown) => value is T, value: unknown): T {
  if (guard(value)) return value
  throw new Error(`not what it should be: ${JSON.stringify(value)}`)
}
