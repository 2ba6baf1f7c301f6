/**
 * Addresses as values: checked once at the edge, then passed around as branded strings that cannot
 * be mixed up. Text is canonical (RFC 5952 for IPv6), so `===` and Map keys work.
 *
 * The trap: two spellings of one address (`::1` and `0:0:0:0:0:0:0:1`, `010.0.0.1`) would be two
 * keys. Guards therefore accept the canonical spelling only; `parseIp` is for what people type.
 */

import type { Branded } from './brand.ts'

/** Dotted quad without leading zeros: `10.44.7.9`. */
export type Ipv4 = Branded<string, 'Ipv4'>
/** RFC 5952 text: lower case, longest run of zeros folded: `fd00::1`. */
export type Ipv6 = Branded<string, 'Ipv6'>
export type IpAddress = Ipv4 | Ipv6
/** Six lower-case hex pairs: `02:42:0a:2c:07:09`. */
export type Mac = Branded<string, 'Mac'>
/** Kernel interface index: a positive 32-bit integer, unique within one network namespace. */
export type IfIndex = Branded<number, 'IfIndex'>

const octet = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
const ipv4Text = new RegExp(String.raw`^${octet}(?:\.${octet}){3}$`)
const macText = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/
const groupText = /^[0-9a-f]{1,4}$/

export function isIpv4(value: unknown): value is Ipv4 {
  return typeof value === 'string' && ipv4Text.test(value)
}

function isIpv6(value: unknown): value is Ipv6 {
  if (typeof value !== 'string' || !value.includes(':')) return false
  const groups = readGroups(value.toLowerCase())
  return groups !== undefined && foldGroups(groups) === value
}

export function isIpAddress(value: unknown): value is IpAddress {
  return isIpv4(value) || isIpv6(value)
}

/** What every link with IPv6 must carry in one packet (RFC 8200). */
export const minIpv6MtuBytes = 1280

export function familyOf(ip: IpAddress): 'IPv4' | 'IPv6' {
  return isIpv4(ip) ? 'IPv4' : 'IPv6'
}

export function isMac(value: unknown): value is Mac {
  return typeof value === 'string' && macText.test(value)
}

/** What an interface may have: no group address (lowest bit of the first octet), not all zero. */
export function isUnicastMac(value: unknown): value is Mac {
  return isMac(value) && /^.[02468ace]/.test(value) && value !== '00:00:00:00:00:00'
}

export function isIfIndex(value: unknown): value is IfIndex {
  return Number.isInteger(value) && Number(value) > 0
}

/** Any spelling of one address to its canonical text; undefined when it is no address. */
export function parseIp(text: string): IpAddress | undefined {
  if (isIpv4(text)) return text
  const groups = text.includes(':') ? readGroups(text.toLowerCase()) : undefined
  const folded = groups === undefined ? '' : foldGroups(groups)
  return isIpv6(folded) ? folded : undefined
}

/** 4 or 16 bytes in network (big-endian) order. */
export function ipBytes(ip: IpAddress): Uint8Array {
  if (isIpv4(ip)) return Uint8Array.from(ip.split('.'), Number)
  return Uint8Array.from((readGroups(ip) ?? []).flatMap((group) => [group >> 8, group & 0xff]))
}

/** Inverse of `ipBytes`; undefined for any other length than 4 or 16. */
export function ipFromBytes(bytes: Uint8Array): IpAddress | undefined {
  if (bytes.length === 4) return parseIp(`${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`)
  if (bytes.length !== 16) return undefined
  const groups = Array.from({ length: 8 }, (_, index) => readU16(bytes, index * 2))
  return parseIp(foldGroups(groups))
}

/** The address as one number, for counting: 32 or 128 bits wide. */
export function ipNumber(ip: IpAddress): bigint {
  return ipBytes(ip).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}

/** Inverse of `ipNumber` for a family; undefined when the number does not fit into it. */
export function ipFromNumber(value: bigint, bits: 32 | 128): IpAddress | undefined {
  if (value < 0n || value >> BigInt(bits) !== 0n) return undefined
  const bytes = new Uint8Array(bits / 8)
  let rest = value
  for (let index = bytes.length - 1; index >= 0; index -= 1) {
    bytes[index] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return ipFromBytes(bytes)
}

/** 6 bytes in transmission order. */
export function macBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16))
}

/** Inverse of `macBytes`; undefined for any other length than 6. */
export function macFromBytes(bytes: Uint8Array): Mac | undefined {
  if (bytes.length !== 6) return undefined
  let text = hexPairs[bytes[0] ?? 0] ?? ''
  for (let index = 1; index < 6; index += 1) text += `:${hexPairs[bytes[index] ?? 0]}`
  return isMac(text) ? text : undefined
}

/** `00` to `ff`: tables of ten thousands of addresses are read several times a second. */
const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

/** The eight 16-bit groups of an IPv6 text, with one `::` and a trailing dotted quad understood. */
function readGroups(text: string): number[] | undefined {
  const [head = '', tail, ...more] = text.split('::')
  if (more.length > 0) return undefined
  const left = readSide(head)
  const right = tail === undefined ? [] : readSide(tail)
  if (left === undefined || right === undefined) return undefined
  const missing = 8 - left.length - right.length
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  return [...left, ...Array.from({ length: missing }, () => 0), ...right]
}

function readSide(text: string): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const last = parts.at(-1) ?? ''
  const quad = isIpv4(last) ? ipBytes(last) : undefined
  const plain = quad === undefined ? parts : parts.slice(0, -1)
  if (!plain.every((part) => groupText.test(part))) return undefined
  const groups = plain.map((part) => Number.parseInt(part, 16))
  return quad === undefined ? groups : [...groups, readU16(quad, 0), readU16(quad, 2)]
}

/** RFC 5952: fold the first longest run of two or more zero groups. */
function foldGroups(groups: readonly number[]): string {
  const run = longestZeroRun(groups)
  const hex = groups.map((group) => group.toString(16))
  if (run.length < 2) return hex.join(':')
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start }
  }
  return best
}
