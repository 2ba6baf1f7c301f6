/** Counts questions beyond the life of the resolvers that were asked: containers come and go. */

import type { Counters } from '../../dns/respond.ts'
import type { Resolver } from '../../targets/resolver.ts'

export interface Tally {
  /** The same resolver, whose counts are kept when it ends. */
  readonly follow: (resolver: Resolver) => Resolver
  /** Those of resolvers that have ended, and these. */
  readonly with: (running: readonly Counters[]) => Counters
}

const none: Counters = { asked: 0, ours: 0, passed: 0, refused: 0, failed: 0, dropped: 0 }

export function createTally(): Tally {
  let ended = none
  return {
    follow: (resolver) => ({
      ...resolver,
      async [Symbol.asyncDispose]() {
        await resolver[Symbol.asyncDispose]()
        ended = add(ended, resolver.counters())
      },
    }),
    with: (running) => running.reduce(add, ended),
  }
}

function add(one: Counters, other: Counters): Counters {
  return {
    asked: one.asked + other.asked,
    ours: one.ours + other.ours,
    passed: one.passed + other.passed,
    refused: one.refused + other.refused,
    failed: one.failed + other.failed,
    dropped: one.dropped + other.dropped,
  }
}
