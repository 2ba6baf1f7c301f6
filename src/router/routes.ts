/**
 * The subnets that this host has routes to, as the kernel lists them in /proc/net (proc(5)).
 *
 * Default routes say nothing, nor do those of loopback, link-local and multicast addresses.
 */

import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { ipFromBytes } from '../model/address.ts'
import { contains, formatPrefix, parsePrefix } from '../model/prefix.ts'
import type { Prefix } from '../model/prefix.ts'

const special = ['127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '::1/128', 'fe80::/10', 'ff00::/8']
  .map(parsePrefix)
  .filter((prefix) => prefix !== undefined)

const lookMs = 20_000

/** Looks once, and then now and then until `signal` aborts. */
export async function watchRoutes(signal: AbortSignal): Promise<() => readonly string[]> {
  let routes = await readRoutes()
  async function look(): Promise<void> {
    while (!signal.aborted) {
      await sleep(lookMs, undefined, { signal }).catch(() => {})
      routes = await readRoutes()
    }
  }
  void look()
  return () => routes
}

/** In CIDR form, each once, sorted. Empty where the kernel cannot be asked. */
async function readRoutes(): Promise<readonly string[]> {
  const [four, six] = await Promise.all(
    ['/proc/net/route', '/proc/net/ipv6_route'].map((file) =>
      readFile(file, 'utf8').catch(() => ''),
    ),
  )
  return parseRoutes(four ?? '', six ?? '')
}

/** Pure. */
export function parseRoutes(four: string, six: string): readonly string[] {
  const found = [...four.split('\n').map(readFour), ...six.split('\n').map(readSix)]
  const texts = found.flatMap((prefix) =>
    prefix === undefined || prefix.length === 0 || isSpecial(prefix) ? [] : [formatPrefix(prefix)],
  )
  return [...new Set(texts)].toSorted()
}

/** Columns: interface, destination, gateway, flags, …, mask (the eighth); little-endian hexadecimal. */
function readFour(line: string): Prefix | undefined {
  const columns = line.split(/\s+/)
  const destination = readHex(columns[1], 4)?.toReversed()
  const mask = readHex(columns[7], 4)
  const address = destination === undefined ? undefined : ipFromBytes(destination)
  if (address === undefined || mask === undefined) return undefined
  return { address, length: mask.reduce((sum, byte) => sum + onesIn(byte), 0) }
}

/** Columns: destination, its length, …; hexadecimal. */
function readSix(line: string): Prefix | undefined {
  const [destination, length = ''] = line.split(/\s+/)
  const bytes = readHex(destination, 16)
  const address = bytes === undefined ? undefined : ipFromBytes(bytes)
  const bits = Number.parseInt(length, 16)
  return address === undefined || !(bits <= 128) ? undefined : { address, length: bits }
}

function isSpecial({ address }: Prefix): boolean {
  return special.some((prefix) => contains(prefix, address))
}

function readHex(text: string | undefined, length: number): Uint8Array | undefined {
  if (text === undefined || !/^[0-9a-f]+$/i.test(text) || text.length !== length * 2) {
    return undefined
  }
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

function onesIn(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length
}
