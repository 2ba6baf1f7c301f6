/** What a person asks when they type a name or an address: everything that is known of it. */

import { parseIp } from '../model/address.ts'
import type { NameQuestion } from './resolve.ts'
import { formatReverse } from './reverse.ts'

/** RFC 8482. */
const anyType = 255

export function questionOf(what: string): NameQuestion {
  const address = parseIp(what)
  const name = address === undefined ? what.replace(/\.$/, '') : formatReverse(address)
  return { name, type: anyType }
}
