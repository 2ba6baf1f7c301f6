/**
 * Finds addresses and pools that Docker has taken and lost, and gives them back.
 *
 * Docker asks for an address and then dies, or the reply is lost, or the IPv6 half fails after the
 * IPv4 one was given: in none of these cases does it say so. So what the books hold is compared with
 * what the engine has. As with orphans (`orphans.ts`), what is missing in two looks in a row, and has
 * been so for a while, is lost.
 *
 * Only pools of the local space: in the global one this engine does not know everybody's containers.
 */

import type { RouterApi } from '../control/api.ts'
import type { Holdings } from '../control/messages.ts'
import type { Engine, EngineContainer, EngineNetwork } from '../docker/engine.ts'
import type { IpAddress } from '../model/address.ts'
import { parseIp } from '../model/address.ts'
import { readPoolId } from '../model/pool.ts'
import type { Pool, PoolId } from '../model/pool.ts'
import { formatPrefix } from '../model/prefix.ts'

export interface Look {
  readonly pools: Holdings['pools']
  readonly networks: readonly Pick<EngineNetwork, 'settings'>[]
  readonly containers: readonly Pick<EngineContainer, 'attachments'>[]
  readonly nowMs: number
  readonly minAgeMs: number
}

export interface Leaks {
  readonly addresses: readonly { readonly pool: PoolId; readonly address: IpAddress }[]
  /** A pool stands here once for each time that it is held too often. */
  readonly pools: readonly PoolId[]
}

export function findLeaks({ pools, networks, containers, nowMs, minAgeMs }: Look): Leaks {
  const claimed = new Set([
    ...containers.flatMap(({ attachments }) => attachments.flatMap(({ addresses }) => addresses)),
    ...networks.flatMap(({ settings }) => settings.ipam.flatMap(fixedAddresses)),
  ])
  const local = pools.flatMap(({ id, ...rest }) => {
    const pool = readPoolId(id)
    return pool?.space === 'local' ? [{ pool, ...rest }] : []
  })
  return {
    addresses: local.flatMap(({ pool, used }) =>
      used
        .filter(({ address, sinceMs }) => !claimed.has(address) && sinceMs < nowMs - minAgeMs)
        .map(({ address }) => ({ pool: pool.id, address })),
    ),
    pools: local.flatMap(({ pool, refs }) => {
      const excess = refs - networks.filter((network) => uses(network, pool)).length
      return Array.from({ length: Math.max(0, excess) }, () => pool.id)
    }),
  }
}

/** What both looks found. */
export function inBoth(before: Leaks, now: Leaks): Leaks {
  const addresses = new Set(before.addresses.map(keyOf))
  return {
    addresses: now.addresses.filter((one) => addresses.has(keyOf(one))),
    pools: [...new Set(now.pools)].flatMap((pool) => {
      const [then, here] = [before.pools, now.pools].map(
        (pools) => pools.filter((one) => one === pool).length,
      )
      return Array.from({ length: Math.min(then ?? 0, here ?? 0) }, () => pool)
    }),
  }
}

export interface LeakSearch {
  readonly router: Pick<RouterApi, 'holdings' | 'releaseAddress' | 'releasePool'>
  readonly engine: Pick<Engine, 'containers' | 'networks'>
  readonly minAgeMs: number
  readonly onFound: (what: string) => void
}

const none: Leaks = { addresses: [], pools: [] }

/** Returns one look, to be taken now and then. A look that fails is no look. */
export function createLeakSearch(search: LeakSearch): (signal: AbortSignal) => Promise<void> {
  const { router, engine, minAgeMs, onFound } = search
  let before = none
  return async (signal) => {
    const last = before
    before = none
    // The router first: what is taken in between is then not seen at all.
    const { pools } = await router.holdings({ signal })
    const networks = await engine.networks({ signal })
    const containers = await engine.containers({ signal })
    before = findLeaks({ pools, networks, containers, nowMs: Date.now(), minAgeMs })
    const lost = inBoth(last, before)
    for (const { pool, address } of lost.addresses) {
      await router.releaseAddress(pool, address, { signal })
      onFound(`address ${address} of ${pool}, which no container has`)
    }
    for (const pool of lost.pools) {
      await router.releasePool(pool, { signal })
      onFound(`pool ${pool}, of which there are fewer networks`)
    }
    if (lost.pools.length > 0) before = { ...before, pools: [] }
  }
}

function uses({ settings }: Look['networks'][number], pool: Pool): boolean {
  return settings.ipam.some(
    ({ subnet, ipRange = subnet }) =>
      subnet === formatPrefix(pool.subnet) && ipRange === formatPrefix(pool.range),
  )
}

function fixedAddresses({
  gateway,
  auxAddresses = {},
}: Look['networks'][number]['settings']['ipam'][number]): IpAddress[] {
  return [gateway ?? '', ...Object.values(auxAddresses)].flatMap((text) => parseIp(text) ?? [])
}

function keyOf({ pool, address }: Leaks['addresses'][number]): string {
  return `${pool} ${address}`
}
