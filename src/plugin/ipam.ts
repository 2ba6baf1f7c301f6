/**
 * Answers Docker's questions for addresses by asking the router.
 *
 * The trap: gateways and what was given with `--aux-address` must be the same on every host, so they
 * are asked for on every host. Docker marks only the first kind; the second is told from a container's
 * `--ip` by its time alone: after RequestPool, and before CreateNetwork for the same subnet.
 */

import type { RouterApi } from '../control/api.ts'
import type { PoolSpec } from '../control/messages.ts'
import type { RequestAddressRequest, RequestPoolRequest } from '../docker/driver-messages.ts'
import { addressTypeKey, gatewayType, globalSpace } from '../docker/ipam-driver.ts'
import type { IpamDriver } from '../docker/ipam-driver.ts'
import type { NetworkDriver } from '../docker/remote-driver.ts'
import { badNetworkOption, poolUnknown } from '../model/faults.ts'
import { isPoolId, readPoolId } from '../model/pool.ts'
import type { PoolId } from '../model/pool.ts'
import { formatPrefix } from '../model/prefix.ts'
import { nearest } from '../settings/nearest.ts'

/** `--ipam-opt weave.size=24`: how long the prefix of a chosen subnet is. */
const sizeOption = 'weave.size'

/** For a creation that Docker gave up without a word. */
const creationMs = 60_000

/** The address driver, and the network driver that tells it when a network has been created. */
export function withAddresses(
  network: NetworkDriver,
  router: RouterApi,
): { readonly driver: NetworkDriver; readonly ipam: IpamDriver } {
  const ipam = createIpamDriver(router, () => performance.now())
  return {
    ipam,
    driver: {
      ...network,
      async createNetwork(request, call) {
        const data = [...request.IPv4Data, ...request.IPv6Data]
        await network.createNetwork(request, call).finally(() => {
          ipam.networkCreated(data.map(({ Pool }) => Pool))
        })
      },
    },
  }
}

interface PluginIpam extends IpamDriver {
  /** Docker has said everything about a network with these subnets, in CIDR form. */
  readonly networkCreated: (subnets: readonly string[]) => void
}

function createIpamDriver(router: RouterApi, now: () => number): PluginIpam {
  /** Pools of networks that are being created, by the time at which that began. */
  const creating = new Map<string, number>()

  function isForNetwork({ PoolID, Address, Options }: RequestAddressRequest): boolean {
    if (Options[addressTypeKey] === gatewayType) return true
    const since = creating.get(PoolID) ?? Number.NEGATIVE_INFINITY
    return Address !== undefined && now() - since < creationMs
  }

  return {
    networkCreated(subnets) {
      for (const id of creating.keys()) {
        const pool = readPoolId(id)
        if (pool === undefined || subnets.includes(formatPrefix(pool.subnet))) creating.delete(id)
      }
    },
    async requestPool(request, call) {
      const { id, subnet } = await router.holdPool(poolSpecOf(request), call)
      creating.set(id, now())
      return { id, subnet }
    },
    async releasePool(pool, call) {
      creating.delete(pool)
      if (isPoolId(pool)) await router.releasePool(pool, call)
    },
    async requestAddress(request, call) {
      const { PoolID, Address } = request
      const use = isForNetwork(request) ? 'reserved' : 'container'
      const spec = { use, ...(Address === undefined ? {} : { address: Address }) } as const
      const { address } = await router.grantAddress(poolOf(PoolID), spec, call)
      return address
    },
    async releaseAddress(pool, address, call) {
      if (isPoolId(pool)) await router.releaseAddress(pool, address, call)
    },
  }
}

function poolSpecOf({ AddressSpace, Pool, SubPool, Options, V6 }: RequestPoolRequest): PoolSpec {
  const length = readSize(Options, V6)
  return {
    space: AddressSpace === globalSpace ? 'global' : 'local',
    family: V6 || Pool.includes(':') ? 6 : 4,
    ...(Pool === '' ? {} : { subnet: Pool }),
    ...(SubPool === '' ? {} : { range: SubPool }),
    ...(length === undefined ? {} : { length }),
  }
}

/** @throws BAD_NETWORK_OPTION also for any other option of ours: it would have no effect. */
function readSize(options: Readonly<Record<string, unknown>>, v6: boolean): number | undefined {
  const unknown = Object.keys(options).find((key) => key.startsWith('weave.') && key !== sizeOption)
  if (unknown !== undefined) {
    const meant = nearest(unknown, [sizeOption]) ?? sizeOption
    throw badNetworkOption(unknown, `not known (did you mean ${meant}?)`)
  }
  const text = options[sizeOption]
  if (text === undefined) return undefined
  const [min, max] = v6 ? [48, 126] : [8, 30]
  const length = typeof text === 'string' && /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN
  if (length >= min && length <= max) return length
  throw badNetworkOption(
    sizeOption,
    `${JSON.stringify(text)} is no prefix length from ${min} to ${max}`,
  )
}

function poolOf(id: string): PoolId {
  if (isPoolId(id)) return id
  throw poolUnknown(id)
}
