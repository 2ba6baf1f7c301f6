/** Who has how much of which pool, as far as this host knows. */

import type { Status } from '../control/messages.ts'
import type { IpAddress } from '../model/address.ts'
import type { Host, HostId } from '../model/cluster.ts'
import { poolSize, readBlockId, readPoolId } from '../model/pool.ts'
import type { Pool } from '../model/pool.ts'
import { addressBits, contains, formatPrefix } from '../model/prefix.ts'
import { blocks, holders } from '../store/schema.ts'
import type { Connection } from './connection.ts'
import { toLocalEndpoint } from './facts.ts'
import type { Facts } from './facts.ts'

export interface PoolSources {
  readonly self: Host
  readonly facts: Facts
  readonly connection: Pick<Connection, 'view'>
}

/** For the message that a pool is full. */
export function describeUsage(pool: Pool, sources: PoolSources): string {
  const used = countUsed(pool, sources)
  const parts = [...used].map(([host, count]) => `${nameOf(host, sources)} has ${count}`)
  const kept = sources.connection.view.pools().get(pool.id)?.value.reserved.length ?? 0
  if (kept > 0) parts.push(`${kept} ${kept === 1 ? 'is' : 'are'} kept for gateways and the like`)
  return parts.length === 0 ? 'none are known to be used' : parts.join(', ')
}

export function renderPools(sources: PoolSources): Status['pools'] {
  const { view } = sources.connection
  return [...view.pools()].flatMap(([id, { value }]) => {
    const pool = readPoolId(id)
    return pool === undefined ? [] : [renderPool(pool, [...value.reserved], sources)]
  })
}

function renderPool(
  pool: Pool,
  reserved: IpAddress[],
  sources: PoolSources,
): Status['pools'][number] {
  const used = countUsed(pool, sources)
  const owned = countOwned(pool, sources)
  const hosts = [...new Set([...owned.keys(), ...used.keys()])]
  const inBlocks = [...owned.values()].reduce((sum, { addresses }) => sum + addresses, 0n)
  const whole = 1n << BigInt(addressBits(pool.range.address) - pool.range.length)
  return {
    id: pool.id,
    subnet: formatPrefix(pool.subnet),
    range: formatPrefix(pool.range),
    size: String(poolSize(pool)),
    reserved,
    hosts: hosts.map((host) => ({
      host,
      nickname: nameOf(host, sources),
      blocks: owned.get(host)?.blocks ?? 0,
      addresses: String(owned.get(host)?.addresses ?? 0n),
      used: used.get(host) ?? 0,
    })),
    free: String(whole - inBlocks),
  }
}

function countUsed(pool: Pool, { self, facts, connection }: PoolSources): Map<HostId, number> {
  const counts = new Map<HostId, number>()
  function count(host: HostId, addresses: readonly IpAddress[]): void {
    const inside = addresses.filter((address) => contains(pool.subnet, address)).length
    if (inside > 0) counts.set(host, (counts.get(host) ?? 0) + inside)
  }
  for (const endpoint of facts.endpoints.values()) {
    count(self.id, toLocalEndpoint(endpoint).addresses)
  }
  for (const { value } of connection.view.endpoints().values()) {
    if (value.host !== self.id) count(value.host, value.addresses)
  }
  return counts
}

function countOwned(
  pool: Pool,
  { connection }: PoolSources,
): Map<HostId, { blocks: number; addresses: bigint }> {
  const counts = new Map<HostId, { blocks: number; addresses: bigint }>()
  const prefix = blocks.prefixOf(pool.id)
  for (const [key, { value }] of connection.view.blocks()) {
    const size = key.startsWith(prefix) ? blockSize(pool, key.slice(prefix.length)) : undefined
    if (size === undefined || value.owner === null) continue
    const before = counts.get(value.owner) ?? { blocks: 0, addresses: 0n }
    counts.set(value.owner, { blocks: before.blocks + 1, addresses: before.addresses + size })
  }
  return counts
}

function blockSize(pool: Pool, block: string): bigint | undefined {
  const prefix = readBlockId(pool, block)
  return prefix === undefined
    ? undefined
    : 1n << BigInt(addressBits(prefix.address) - prefix.length)
}

function nameOf(host: HostId, { self, connection }: PoolSources): string {
  if (host === self.id) return self.nickname
  const { view } = connection
  const alive = view.hosts().get(host)?.value.nickname
  if (alive !== undefined) return alive
  const holder = [...view.holders()].find(([key]) => holders.id(key)?.part === host)
  return holder === undefined ? `${host} (gone)` : `${holder[1].value.nickname} (gone)`
}
