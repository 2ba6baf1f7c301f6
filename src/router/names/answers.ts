/** Turns what is known about a name into what is said on the wire. */

import type { Answer, AnswerRecord } from '../../dns/reply.ts'
import { isIpv4 } from '../../model/address.ts'
import type { Resolution } from '../../naming/resolve.ts'

export interface AnswerOptions {
  readonly ttlSeconds: number
  /** At least 0, below 1; another one for tests. */
  readonly random?: () => number
}

/** In random order: most programs take the first one, and all containers of a name are to be asked. */
export function toAnswer(
  resolution: Resolution,
  { ttlSeconds, random = Math.random }: AnswerOptions,
): Answer {
  switch (resolution.kind) {
    case 'addresses': {
      const records = resolution.addresses.map((data): AnswerRecord => {
        return { type: isIpv4(data) ? 'A' : 'AAAA', data }
      })
      return { kind: 'records', records: shuffled(records, random), ttlSeconds }
    }
    case 'names': {
      const records = resolution.names.map((data): AnswerRecord => ({ type: 'PTR', data }))
      return { kind: 'records', records, ttlSeconds }
    }
    case 'no-data':
      return { kind: 'nodata' }
    case 'unknown':
      return { kind: 'nxdomain' }
    case 'foreign':
      return { kind: 'pass' }
  }
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const result = [...items]
  for (let last = result.length - 1; last > 0; last -= 1) {
    const chosen = Math.floor(random() * (last + 1))
    const [one, other] = [result[last], result[chosen]]
    if (one !== undefined && other !== undefined) {
      result[last] = other
      result[chosen] = one
    }
  }
  return result
}
