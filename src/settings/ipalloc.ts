/** From where subnets are taken for networks whose user names none, and how large they are. */

import { isIpv4 } from '../model/address.ts'
import { badArgument } from '../model/faults.ts'
import { formatPrefix, networkOf, parsePrefix } from '../model/prefix.ts'
import type { Prefix } from '../model/prefix.ts'
import { readNumber } from './flags.ts'

export interface Ipalloc {
  readonly from: Prefix
  /** Prefix length of each subnet. */
  readonly length: number
}

/** What Weave has always used: it begins behind what most private networks and Docker itself use. */
const usualRange = '10.32.0.0/12'
/** 4094 containers, and 256 networks in the usual range. */
const usualLength = 20
const longest = 29

export function isIpallocRange(text: string): boolean {
  const prefix = parsePrefix(text)
  return prefix !== undefined && isIpv4(prefix.address) && formatPrefix(networkOf(prefix)) === text
}

/** @throws BAD_ARGUMENT; checks one flag, see `readIpalloc` for the two together. */
export function readIpallocRange(text: string): string {
  const prefix = parsePrefix(text)
  const isGood = prefix !== undefined && isIpv4(prefix.address) && prefix.length <= longest
  if (isGood && isIpallocRange(text)) return text
  const hint = isGood
    ? `Nearest: --ipalloc-range=${formatPrefix(networkOf(prefix))}`
    : `Give an IPv4 subnet of at most /${longest}, such as ${usualRange}.`
  throw badArgument('--ipalloc-range', text, hint)
}

export function readIpallocSize(text: string): number {
  return readNumber('--ipalloc-size', text, { min: 8, max: longest })
}

/** A range that is smaller than the usual subnet is one subnet. @throws BAD_ARGUMENT */
export function readIpalloc({
  ipallocRange = usualRange,
  ipallocSize,
}: {
  readonly ipallocRange?: string | undefined
  readonly ipallocSize?: number | undefined
}): Ipalloc {
  const from = parsePrefix(ipallocRange) ?? parsePrefix(usualRange)
  if (from === undefined) throw new Error(usualRange)
  if (ipallocSize !== undefined && ipallocSize < from.length) {
    const hint = `A subnet of that size does not fit into --ipalloc-range=${ipallocRange}.`
    throw badArgument('--ipalloc-size', String(ipallocSize), hint)
  }
  return { from, length: ipallocSize ?? Math.max(usualLength, from.length) }
}
