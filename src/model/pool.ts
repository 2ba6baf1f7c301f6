/**
 * Pools: the subnets that addresses of containers come from, and how each is cut into blocks.
 *
 *   pool     a subnet, or the part of one that the user named (`--ip-range`)
 *   block    an aligned part of a pool; belongs to one host at a time, which allocates in it alone
 *
 * A pool's ID says everything about it, because Docker keeps the ID and nothing else, and uses it on
 * hosts and after restarts at which nobody has heard of the pool before.
 *
 * A pool has about as many blocks as a block has addresses: a host claims seldom, and one that
 * claims a block for a single container does not keep much from the others.
 */

import { ipFromNumber, ipNumber, isIpv4, parseIp } from './address.ts'
import type { IpAddress } from './address.ts'
import type { Branded } from './brand.ts'
import { addressBits, contains, formatPrefix, networkOf, overlaps, parsePrefix } from './prefix.ts'
import type { Prefix } from './prefix.ts'

/** `local_10.32.0.0-20`, with a range `local_10.32.0.0-20_10.32.1.0-24`; safe in keys and file names. */
export type PoolId = Branded<string, 'PoolId'>
/** A block's prefix as it stands in keys: `10.32.0.0-26`, `fd00..-116`. */
export type BlockId = Branded<string, 'BlockId'>

/**
 * Who asks: each Docker host for itself (`local`), or one for all of them (`global`: a cluster store,
 * a swarm's manager).
 */
export type Space = 'local' | 'global'

export interface Pool {
  readonly id: PoolId
  readonly space: Space
  readonly subnet: Prefix
  /** Where addresses are chosen from: the subnet or a part of it. */
  readonly range: Prefix
}

/** Large enough for a busy host, small enough to be scanned. */
const maxBlockBits = 12

/** Undefined when `range` is not a part of `subnet`. */
export function poolOf(space: Space, subnet: Prefix, range: Prefix = subnet): Pool | undefined {
  const whole = networkOf(subnet)
  const part = networkOf(range)
  if (part.length < whole.length || !contains(whole, part.address)) return undefined
  const isWhole = part.length === whole.length
  const text = [space, formatKey(whole), ...(isWhole ? [] : [formatKey(part)])].join('_')
  return isPoolText(text) ? { id: text, space, subnet: whole, range: part } : undefined
}

/** Inverse of a pool's ID; undefined when it is none. */
export function readPoolId(id: unknown): Pool | undefined {
  if (typeof id !== 'string') return undefined
  const [space, subnetText = '', rangeText, ...more] = id.split('_')
  const subnet = readKey(subnetText)
  const range = rangeText === undefined ? subnet : readKey(rangeText)
  if (space !== 'local' && space !== 'global') return undefined
  if (subnet === undefined || range === undefined || more.length > 0) return undefined
  const pool = poolOf(space, subnet, range)
  return pool?.id === id ? pool : undefined
}

export function isPoolId(value: unknown): value is PoolId {
  return readPoolId(value) !== undefined
}

/**
 * Whether the two cannot exist side by side: an address of one would be an address of the other. The
 * same subnet cut into separate ranges is fine, and so is one pool seen from both spaces.
 */
export function conflict(a: Pool, b: Pool): boolean {
  if (!overlaps(a.subnet, b.subnet)) return false
  const sameSubnet = formatPrefix(a.subnet) === formatPrefix(b.subnet)
  const sameRange = formatPrefix(a.range) === formatPrefix(b.range)
  if (sameSubnet && sameRange) return false
  return !sameSubnet || overlaps(a.range, b.range)
}

/** Prefix length of this pool's blocks. */
export function blockLength({ range }: Pool): number {
  const bits = addressBits(range.address)
  return bits - Math.min(maxBlockBits, Math.floor((bits - range.length) / 2))
}

export function blockCount(pool: Pool): bigint {
  return 1n << BigInt(blockLength(pool) - pool.range.length)
}

/** @param index from 0 to `blockCount` - 1 */
export function blockAt(pool: Pool, index: bigint): BlockId {
  const bits = addressBits(pool.range.address)
  const length = blockLength(pool)
  const number = ipNumber(pool.range.address) + (index << BigInt(bits - length))
  return blockId(ipFromNumber(number, bits) ?? pool.range.address, length)
}

/** Undefined for an address outside the range: it is in no block. */
export function blockOf(pool: Pool, address: IpAddress): BlockId | undefined {
  if (!contains(pool.range, address)) return undefined
  const length = blockLength(pool)
  return blockId(networkOf({ address, length }).address, length)
}

/** Undefined when it is none of the blocks of this pool. */
export function readBlockId(pool: Pool, id: unknown): Prefix | undefined {
  const prefix = typeof id === 'string' ? readKey(id) : undefined
  return prefix !== undefined && blockOf(pool, prefix.address) === id ? prefix : undefined
}

/**
 * Whether an interface may have it: in the subnet, and neither the address of the subnet itself nor,
 * for IPv4, its broadcast address (RFC 3021 makes an exception for /31).
 */
export function isAssignable({ subnet }: Pool, address: IpAddress): boolean {
  if (!contains(subnet, address)) return false
  const bits = addressBits(address)
  if (bits - subnet.length < 2) return true
  const host = ipNumber(address) - ipNumber(subnet.address)
  const last = (1n << BigInt(bits - subnet.length)) - 1n
  return host !== 0n && !(isIpv4(address) && host === last)
}

/** How many addresses of the range containers may have. */
export function poolSize(pool: Pool): bigint {
  const { subnet, range } = pool
  const bits = addressBits(range.address)
  const all = 1n << BigInt(bits - range.length)
  const first = range.address
  const last = ipFromNumber(ipNumber(first) + all - 1n, bits) ?? first
  if (bits - subnet.length < 2) return all
  const lost = [...new Set([first, last])].filter((address) => !isAssignable(pool, address))
  return all - BigInt(lost.length)
}

/** What a network's gateway is called when the user does not say: the subnet's first address. */
export function defaultGateway(pool: Pool): IpAddress {
  const { address } = pool.subnet
  const next = ipFromNumber(ipNumber(address) + 1n, addressBits(address))
  return isAssignable(pool, address) || next === undefined ? address : next
}

/** `10.32.0.0-20`: a prefix without the characters that mean something in keys, paths and file names. */
function formatKey({ address, length }: Prefix): string {
  return `${address.replaceAll(':', '.')}-${length}`
}

function readKey(text: string): Prefix | undefined {
  const [address = '', length = '', ...more] = text.split('-')
  if (more.length > 0) return undefined
  const ip = isIpv4(address) ? address : parseIp(address.replaceAll('.', ':'))
  const prefix = ip === undefined ? undefined : parsePrefix(`${ip}/${length}`)
  return prefix !== undefined && formatKey(prefix) === text ? prefix : undefined
}

function blockId(address: IpAddress, length: number): BlockId {
  const text = formatKey({ address, length })
  if (!isBlockText(text)) throw new Error(`${text} is no block`)
  return text
}

function isPoolText(text: string): text is PoolId {
  return text.length <= 128
}

function isBlockText(text: string): text is BlockId {
  return readKey(text) !== undefined
}
