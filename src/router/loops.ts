/**
 * The router's control loops, and what they are to each other.
 *
 *   facts ──▶ links ──▶ tables ◀── view of the store ◀── publication ◀── facts
 *                          filters ◀──┤
 *      Docker's networks ◀── spread ◀──┘
 *
 * Events only ring. A container's start waits for `links`; everything else follows by itself.
 */

import type { LinkStep } from '../datapath/links.ts'
import { hostEndName } from '../datapath/names.ts'
import { bridgeName, tunnelName } from '../datapath/names.ts'
import type { EndpointId, Vni } from '../model/cluster.ts'
import { problemOf, startLoop } from '../reconcile/loop.ts'
import type { Loop, LoopReport } from '../reconcile/loop.ts'
import type { Pass, Target } from '../reconcile/reconcile.ts'
import type { Logger } from './log.ts'

/** How long a settled target may go unchecked: the net for what raised no event. */
const resyncMs = 20_000
/** Others change the host's firewall without telling anybody: firewalld, Docker, people. */
const filtersResyncMs = 10_000
/** Docker's bridge appears with Docker, and nobody says so. */
const listenersResyncMs = 2000
const maxBackoffMs = 20_000
/** What a container's start gives the neighbours to hear of it; more would only delay it. */
const announceMs = 400

export interface Loops {
  /** All but the filters: looking at them means running programs. */
  readonly ringAll: () => void
  readonly ringTables: () => void
  readonly ringFilters: () => void
  readonly ringSpread: () => void
  readonly settleLinks: (
    endpoint: { readonly id: EndpointId; readonly vni: Vni | undefined },
    signal: AbortSignal,
  ) => Promise<string | undefined>
  readonly announce: (signal: AbortSignal) => Promise<void>
  readonly reports: () => readonly LoopReport[]
  /** Everything has been in order once, and nothing fails now. */
  readonly areInOrder: () => boolean
  /** Ends all loops while the router itself goes on, for a reset. */
  readonly stop: () => Promise<void>
  readonly done: Promise<unknown>
}

export type Targets = Readonly<
  Record<
    | 'links'
    | 'sweep'
    | 'tables'
    | 'filters'
    | 'publication'
    | 'memory'
    | 'spread'
    | 'resolvers'
    | 'listeners',
    AnyTarget
  >
>

type AnyTarget = <Visit>(visit: <D, A, S>(target: Target<D, A, S>) => Visit) => Visit

/** Hides a target's own types, so that targets of all kinds can be handed over alike. */
export function anyTarget<D, A, S>(target: Target<D, A, S>): AnyTarget {
  return (visit) => visit(target)
}

export function startLoops(
  targets: Targets,
  { signal: ending, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Loops {
  const stopping = new AbortController()
  const signal = AbortSignal.any([ending, stopping.signal])
  const start = createStarter({ signal, log })
  function ringAll(): void {
    for (const loop of ringable) loop.ring()
  }
  const links = start(targets.links)
  const tables = start(targets.tables)
  const publication = start(targets.publication)
  const filters = start(targets.filters, { everyMs: filtersResyncMs })
  // A network that came back into this host's memory concerns its links and tables.
  const memory = start(targets.memory, { onChanged: ringAll })
  const quick = [links, start(targets.sweep), tables, publication, memory]
  const inOrder = [...quick, filters]
  // Docker may be away; that is not our disorder, and nothing else depends on it.
  const spread = start(targets.spread)
  // A kernel that cannot do it leaves names to Docker; containers talk all the same.
  const resolvers = start(targets.resolvers)
  const listeners = start(targets.listeners, { everyMs: listenersResyncMs })
  const ringable = [...quick, resolvers]
  const all = [...inOrder, spread, resolvers, listeners]
  const done = Promise.all(all.map((loop) => loop.done))
  return {
    ringAll,
    ringTables: tables.ring,
    ringFilters: filters.ring,
    ringSpread: spread.ring,
    async settleLinks(endpoint, callSignal) {
      const problem = problemWith(endpoint, await links.next(callSignal))
      tables.ring()
      publication.ring()
      return problem
    },
    async announce(callSignal) {
      const soon = AbortSignal.any([callSignal, AbortSignal.timeout(announceMs)])
      await Promise.allSettled([tables.next(soon), publication.next(soon)])
    },
    reports: () => all.map((loop) => loop.report()),
    areInOrder: () =>
      inOrder.every((loop) => loop.hasSettled() && loop.report().state !== 'failing'),
    async stop() {
      stopping.abort()
      await done
    },
    done,
  }
}

type Starter = (
  target: AnyTarget,
  options?: { readonly everyMs?: number; readonly onChanged?: () => void },
) => Loop

function createStarter({
  signal,
  log,
}: {
  readonly signal: AbortSignal
  readonly log: Logger
}): Starter {
  return (target, { everyMs = resyncMs, onChanged } = {}) => {
    const onPass = createReporter(log, onChanged)
    return target((one) => startLoop(one, { signal, resyncMs: everyMs, backoffMs, onPass }))
  }
}

function backoffMs(n: number): number {
  return Math.min(maxBackoffMs, 250 * 2 ** Math.min(n, 10))
}

/** A failure that concerns this endpoint or its network; others' are not its business. */
function problemWith(
  { id, vni }: { readonly id: EndpointId; readonly vni: Vni | undefined },
  pass: Pass,
): string | undefined {
  if (pass.kind !== 'failed') return problemOf(pass)
  const names = new Set([hostEndName(id)])
  if (vni !== undefined) names.add(bridgeName(vni)).add(tunnelName(vni))
  const failures = pass.failures.filter(
    ({ step }) => isLinkStep(step) && step.kind !== 'set-ipv6' && concerns(step, names),
  )
  return failures.length === 0 ? undefined : problemOf({ kind: 'failed', failures })
}

function concerns(step: LinkStep, names: ReadonlySet<string>): boolean {
  return names.has(step.kind === 'create-veth' ? step.hostEnd : step.name)
}

function isLinkStep(step: unknown): step is LinkStep {
  return typeof step === 'object' && step !== null && ('name' in step || 'hostEnd' in step)
}

/** Says a problem once when it appears, not at every attempt, and once when it is over. */
function createReporter(log: Logger, onChanged = () => {}): (target: string, pass: Pass) => void {
  let said: string | undefined
  return (target, pass) => {
    const problem = problemOf(pass)
    if (problem !== undefined && problem !== said)
      log.warn({ target, problem }, 'not as it should be')
    if (problem === undefined && said !== undefined) log.info({ target }, 'in order again')
    said = problem
    if (pass.kind !== 'changed') return
    log.debug({ target, steps: pass.steps }, 'changed')
    onChanged()
  }
}
