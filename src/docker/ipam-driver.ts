/**
 * The address driver's half of Docker's protocol (libnetwork ipams/remote).
 *
 * What bites:
 *   - A pool's ID is all that Docker keeps, for ever: it must mean the same on other hosts and later.
 *   - Asked for a pool without a subnet, each answer must be another one, or dockerd never stops asking.
 *   - In replies addresses are ADDRESS/LENGTH with the length of the subnet, in requests they are bare.
 *   - The names of the two spaces must differ, or engine 28 does not look for overlapping routes.
 */

import type { Route } from '../http/routes.ts'
import type { IpAddress } from '../model/address.ts'
import {
  poolRequest,
  releaseAddressRequest,
  requestAddressRequest,
  requestPoolRequest,
} from './driver-messages.ts'
import type { RequestAddressRequest, RequestPoolRequest } from './driver-messages.ts'
import { answer, call } from './driver-route.ts'

interface IpamCall {
  readonly signal: AbortSignal
}

/** Every call may come twice, late, or for something unknown; each must be safe to repeat. */
export interface IpamDriver {
  readonly requestPool: (
    request: RequestPoolRequest,
    call: IpamCall,
  ) => Promise<{ readonly id: string; readonly subnet: string }>
  readonly releasePool: (pool: string, call: IpamCall) => Promise<void>
  /** @returns the address with the length of its subnet. */
  readonly requestAddress: (request: RequestAddressRequest, call: IpamCall) => Promise<string>
  readonly releaseAddress: (pool: string, address: IpAddress, call: IpamCall) => Promise<void>
}

/** Where each engine asks for itself, and where one of them asks for all. */
const localSpace = 'weave-local'
export const globalSpace = 'weave-global'
/** In the options of a RequestAddress: what the address is for. */
export const addressTypeKey = 'RequestAddressType'
export const gatewayType = 'com.docker.network.gateway'

export function ipamCalls(ipam: IpamDriver): Route[] {
  return [
    answer('/IpamDriver.GetCapabilities', {
      RequiresMACAddress: false,
      // What was given is on our own disk: nobody has to tell us again.
      RequiresRequestReplay: false,
    }),
    answer('/IpamDriver.GetDefaultAddressSpaces', {
      LocalDefaultAddressSpace: localSpace,
      GlobalDefaultAddressSpace: globalSpace,
    }),
    call('IpamDriver.RequestPool', requestPoolRequest, async (request, { signal }) => {
      const { id, subnet } = await ipam.requestPool(request, { signal })
      return { PoolID: id, Pool: subnet, Data: {} }
    }),
    call('IpamDriver.ReleasePool', poolRequest, async ({ PoolID }, { signal }) => {
      await ipam.releasePool(PoolID, { signal })
      return {}
    }),
    call('IpamDriver.RequestAddress', requestAddressRequest, async (request, { signal }) => ({
      Address: await ipam.requestAddress(request, { signal }),
      Data: {},
    })),
    call('IpamDriver.ReleaseAddress', releaseAddressRequest, async (request, { signal }) => {
      const { PoolID, Address } = request
      if (Address !== undefined) await ipam.releaseAddress(PoolID, Address, { signal })
      return {}
    }),
  ]
}
