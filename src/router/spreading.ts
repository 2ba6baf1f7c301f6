/**
 * Spreads the networks of drivers in local scope: puts the target together with what this router has,
 * hears of what happens on the engine, and says how it stands.
 *
 * With no such driver on this host nothing here does anything, and the engine is never asked.
 */

import type { Status } from '../control/messages.ts'
import type { Engine } from '../docker/engine.ts'
import { segmentOf } from '../model/definition.ts'
import type { DefinitionId } from '../model/definition.ts'
import { networkConflict, networkReplaced } from '../model/faults.ts'
import type { Cluster as SharedNetworks, SpreadStep } from '../spread/plan.ts'
import type { Revision, Store } from '../store/store.ts'
import type { View } from '../store/view.ts'
import { spreadTarget } from '../targets/spread.ts'
import type { SeenOutlook, SpreadTarget } from '../targets/spread.ts'
import type { Adoptions, Driver, Drivers } from './adopted.ts'
import type { Logger } from './log.ts'
import { remember } from './remember.ts'
import { until } from './until.ts'

/** What a container's start may wait for a network that was made a moment ago. */
const admitMs = 3000

export interface SpreadingSources {
  readonly engine: Engine
  readonly store: Store
  readonly view: View
  readonly adoptions: Adoptions
  readonly drivers: Drivers
  /** Waits until the view has come to `revision`; throws when it cannot be relied on. */
  readonly caughtUp: (revision: Revision, signal: AbortSignal) => Promise<void>
  readonly randomId: () => string
  readonly log: Logger
}

export interface Spreading {
  readonly target: SpreadTarget
  /** Another text whenever the store has news that the target should look at. */
  readonly news: () => string
  readonly putDriver: (driver: Driver) => Promise<void>
  /**
   * Waits a moment for a new network to be known as the cluster's, so that no container is started on
   * one that gives way to another host's: it would be alone there. @throws NETWORK_REPLACED
   */
  readonly admit: (dockerNetwork: string | undefined, signal: AbortSignal) => Promise<void>
  readonly segments: Adoptions['segments']
  readonly status: () => Pick<Status, 'definitions' | 'warnings'>
  /** Rings for what happens on the engine, until the signal aborts. */
  readonly listen: (ring: () => void, signal: AbortSignal) => void
}

export function createSpreading(sources: SpreadingSources): Spreading {
  const { view, drivers, adoptions, log } = sources
  const replaced = new Map<DefinitionId, string>()
  const shared = remember(() => sharedNetworks(view, drivers.local()))
  const target = spreadTarget({
    ...sources,
    adopted: adoptions,
    foreign: (key) => view.foreign().get(key),
    async cluster(revision, signal) {
      const local = drivers.local()
      if (local.size === 0) return nothing
      await sources.caughtUp(revision, signal)
      return shared(`${view.version()} ${[...local].join(' ')}`)
    },
    onStep(step) {
      report(step, { log, replaced })
    },
  })
  const ear = createEar({ ...sources, target })
  return {
    target,
    news: () => describeNews(view),
    async putDriver(driver) {
      if (await drivers.put(driver)) ear.look()
    },
    async admit(network, signal) {
      if (network === undefined || drivers.local().size === 0) return
      const isKnown = await judged(network, { view, target, signal, ring: ear.look })
      if (isKnown && target.judge(network) === 'lost') throw networkReplaced(network)
    },
    segments: adoptions.segments,
    status() {
      const outlooks = target.outlooks()
      return { definitions: outlooks.map(renderOutlook), warnings: warn(outlooks, replaced) }
    },
    listen: ear.listen,
  }
}

interface Judging {
  readonly view: View
  readonly target: SpreadTarget
  readonly ring: () => void
  readonly signal: AbortSignal
}

/** Whether a network is known in time; a store that is away is not waited for. */
async function judged(network: string, { view, target, ring, signal }: Judging): Promise<boolean> {
  function isKnown(): boolean {
    return target.judge(network) !== 'unknown'
  }
  if (!isKnown()) ring()
  await until(() => isKnown() || !view.connected(), { withinMs: admitMs, signal })
  return isKnown()
}

/** Rings for the engine's events as soon as there is a driver whose networks are spread. */
function createEar(sources: Pick<Following, 'engine' | 'drivers' | 'target'>): {
  readonly look: () => void
  readonly listen: Spreading['listen']
} {
  let follow: (() => void) | undefined
  return {
    look: () => follow?.(),
    listen(ring, signal) {
      let isFollowing = false
      follow = () => {
        if (sources.drivers.local().size > 0 && !isFollowing) {
          isFollowing = true
          void followEngine({ ...sources, ring, signal })
        }
        ring()
      }
      follow()
    },
  }
}

const nothing: SharedNetworks = {
  shared: new Map(),
  epoch: '',
  revision: 0n,
  drivers: new Set(),
}

function sharedNetworks(view: View, drivers: ReadonlySet<string>): SharedNetworks {
  const epoch = view.epoch()
  if (epoch === undefined) throw new Error('the store does not say yet which cluster it is of')
  const shared = [...view.definitions()]
    .filter(([, { value }]) => drivers.has(value.driver))
    .map(([id, { value, revision, held }]) => [id, { definition: value, revision, held }] as const)
  return { shared: new Map(shared), epoch, revision: view.revision(), drivers }
}

function describeNews(view: View): string {
  const known = [...view.definitions()].map(([id, { revision }]) => `${id}@${revision}`)
  return [view.connected(), view.epoch(), ...known].join(' ')
}

interface Following extends Pick<SpreadingSources, 'engine' | 'drivers'> {
  readonly target: SpreadTarget
  readonly ring: () => void
  readonly signal: AbortSignal
}

/**
 * Networks that come and go always ring. Containers leave by the hundred, which only matters while a
 * network waits for its last one.
 */
async function followEngine({ engine, target, ring, signal }: Following): Promise<void> {
  const filters = {
    type: ['network', 'container'],
    event: ['create', 'destroy', 'remove', 'disconnect'],
  }
  for await (const { type, action } of engine.events({ signal, filters, onOpen: ring })) {
    const isNetwork = type === 'network' && action !== 'disconnect'
    const isLeaving = action !== 'create' && target.outlooks().some(waitsForContainers)
    if (isNetwork || isLeaving) ring()
  }
}

function waitsForContainers({ state }: SeenOutlook): boolean {
  return state === 'leaving' || state === 'conflict'
}

function report(
  step: SpreadStep,
  { log, replaced }: { readonly log: Logger; readonly replaced: Map<DefinitionId, string> },
): void {
  const { kind: did, id: network } = step
  if (did !== 'remove' || step.lost === undefined) {
    log.info({ network, did }, 'network spread')
    return
  }
  // Only the subnet, which nobody may have chosen: not worth a warning.
  const isQuiet = step.lost.every((difference) => difference.startsWith('subnet: '))
  const differs = step.lost.join('; ')
  log[isQuiet ? 'info' : 'warn']({ network, differs }, 'replaced by the cluster’s of this name')
  if (!isQuiet) replaced.set(network, differs)
}

function renderOutlook(outlook: SeenOutlook): Status['definitions'][number] {
  const { network, dockerId, state } = outlook
  const segment = segmentOf(network)
  const problem = describeProblem(outlook)
  return {
    driver: network.driver,
    name: network.name,
    ...(segment === undefined ? {} : { network: segment }),
    ...(dockerId === undefined ? {} : { dockerId }),
    subnets: network.ipam.map(({ subnet }) => subnet),
    state,
    ...(problem === undefined ? {} : { problem }),
  }
}

function describeProblem({ network, state, differs, problem }: SeenOutlook): string | undefined {
  switch (state) {
    case 'everywhere':
      return undefined
    case 'pending':
      return problem
    case 'leaving':
      return 'removed on another host; it goes when no container here uses it any more'
    case 'conflict':
      return networkConflict(network.name, differs ?? []).message
  }
}

function warn(outlooks: readonly SeenOutlook[], replaced: Map<DefinitionId, string>): string[] {
  const known = new Set(outlooks.map(({ id }) => id))
  for (const id of replaced.keys()) if (!known.has(id)) replaced.delete(id)
  return outlooks.flatMap(({ id, network, state, differs, problem }) => {
    if (state === 'conflict') {
      const { message, remedy } = networkConflict(network.name, differs ?? [])
      return [`${message}. ${remedy}`]
    }
    if (state === 'pending' && problem !== undefined) return [`network ${network.name}: ${problem}`]
    const before = replaced.get(id)
    return before === undefined
      ? []
      : [`network ${network.name} was made here, too, and gave way to the cluster's: ${before}`]
  })
}
