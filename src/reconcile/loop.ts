/**
 * Keeps a target reconciled: a pass on every ring and on a slow timer, again at once after a change.
 *
 *        ring / timer            changed
 *   rest ────────────▶ pass ───────────────▶ pass …
 *    ▲                  │ settled
 *    └──────────────────┘        failed, blind, or too many changes: pause, longer each time
 *
 * Callers that changed what is desired wait with `next()` for a pass that has seen their change.
 */

import { runPass } from './reconcile.ts'
import type { Pass, Target } from './reconcile.ts'
import { createWakeup } from './wakeup.ts'

export interface Loop {
  /** Look soon. Cheap; any number of rings before a pass are heard as one. */
  readonly ring: () => void
  /**
   * Rings, and resolves with the first outcome other than `changed` of a pass that began after
   * this call: `settled`, or what went wrong. Rejects when `signal` aborts first.
   */
  readonly next: (signal: AbortSignal) => Promise<Pass>
  readonly report: () => LoopReport
  /** Whether everything was as desired once; being busy since does not matter. */
  readonly hasSettled: () => boolean
  /** Resolves once the loop has ended after `signal`. */
  readonly done: Promise<void>
}

export interface LoopReport {
  readonly name: string
  readonly state: 'settled' | 'changing' | 'failing'
  readonly passes: number
  /** Steps that were needed although nothing else was desired: somebody changed the world. */
  readonly drift: number
  readonly problem?: string
}

export interface LoopOptions {
  readonly signal: AbortSignal
  /** How long a settled target may go unchecked: the net for drift that raised no event. */
  readonly resyncMs: number
  /** Pause after the nth pass in a row that failed or would not settle. */
  readonly backoffMs: (n: number) => number
  readonly onPass: (target: string, pass: Pass) => void
}

interface Waiter {
  readonly fromPass: number
  readonly resolve: (pass: Pass) => void
}

/** Passes that may follow each other without a pause; more means the target is not converging. */
const maxHurry = 8

export function startLoop<D, A, S>(target: Target<D, A, S>, options: LoopOptions): Loop {
  const wakeup = createWakeup()
  const waiters = new Set<Waiter>()
  const count = createCount<D>()

  async function run(): Promise<void> {
    let unsettled = 0
    while (!options.signal.aborted) {
      const number = count.begin()
      const pass = await runPass(target, options.signal)
      count.end(pass)
      options.onPass(target.name, pass)
      if (pass.kind !== 'changed') answer(waiters, number, pass)
      unsettled = pass.kind === 'settled' ? 0 : unsettled + 1
      if (pass.kind === 'changed' && unsettled <= maxHurry) continue
      const pauseMs = unsettled === 0 ? options.resyncMs : options.backoffMs(unsettled)
      await wakeup.wait(pauseMs, options.signal)
    }
  }

  return {
    ring: wakeup.ring,
    next(signal) {
      return new Promise((resolve, reject) => {
        const waiter: Waiter = { fromPass: count.begun() + 1, resolve: finish }
        function finish(pass: Pass): void {
          signal.removeEventListener('abort', giveUp)
          resolve(pass)
        }
        function giveUp(): void {
          waiters.delete(waiter)
          reject(toError(signal.reason))
        }
        if (signal.aborted) return giveUp()
        signal.addEventListener('abort', giveUp, { once: true })
        waiters.add(waiter)
        wakeup.ring()
      })
    },
    report: () => count.report(target.name),
    hasSettled: count.hasSettled,
    done: run(),
  }
}

/** What a loop remembers of its passes, for people and for the drift count. */
function createCount<D>(): {
  readonly begin: () => number
  readonly begun: () => number
  readonly end: (pass: Pass<D>) => void
  readonly report: (name: string) => LoopReport
  readonly hasSettled: () => boolean
} {
  let passes = 0
  let drift = 0
  let settledOn: D | undefined
  let settled = false
  let last: Pass<D> | undefined
  return {
    begin: () => (passes += 1),
    begun: () => passes,
    end(pass) {
      if (pass.kind === 'changed' && pass.desired === settledOn) drift += pass.steps
      if (pass.kind === 'settled') {
        settledOn = pass.desired
        settled = true
      }
      last = pass
    },
    hasSettled: () => settled,
    report(name) {
      const problem = last === undefined ? undefined : problemOf(last)
      const base = { name, state: stateOf(last), passes, drift }
      return problem === undefined ? base : { ...base, problem }
    },
  }
}

function answer(waiters: Set<Waiter>, number: number, pass: Pass): void {
  for (const waiter of [...waiters].filter(({ fromPass }) => fromPass <= number)) {
    waiters.delete(waiter)
    waiter.resolve(pass)
  }
}

function stateOf(pass: Pass | undefined): LoopReport['state'] {
  if (pass?.kind === 'settled') return 'settled'
  return pass === undefined || pass.kind === 'changed' ? 'changing' : 'failing'
}

/** The first thing that went wrong, as text; undefined when nothing did. */
export function problemOf(pass: Pass): string | undefined {
  if (pass.kind === 'blind') return toError(pass.cause).message
  if (pass.kind !== 'failed') return undefined
  const [first] = pass.failures
  const more = pass.failures.length > 1 ? ` (and ${pass.failures.length - 1} more)` : ''
  return toError(first?.cause).message + more
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause))
}
