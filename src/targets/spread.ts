/**
 * Joins the plan that spreads networks with the store and this host's Docker engine: see
 * `spread/plan.ts` for which networks should be where and why.
 *
 * The engine calls our own driver while it makes or removes a network, and the driver calls the
 * router. So this must not be waited for by anything that answers the driver.
 *
 * Containers are asked for only when something is to be removed, because engines take long to list
 * them, and after the networks: one that was started in between is then seen.
 */

import type { EngineContainer } from '../docker/engine-messages.ts'
import type { Engine } from '../docker/engine.ts'
import type { Definition, DefinitionId } from '../model/definition.ts'
import type { StepFailure, Target } from '../reconcile/reconcile.ts'
import { planSpread } from '../spread/plan.ts'
import type {
  Adopted,
  Cluster,
  EngineNetwork,
  Look,
  Outlook,
  SpreadStep,
  Use,
} from '../spread/plan.ts'
import { definitions } from '../store/schema.ts'
import type { Revision, Store } from '../store/store.ts'

export interface SpreadSources {
  readonly engine: Pick<Engine, 'networks' | 'containers' | 'createNetwork' | 'removeNetwork'>
  readonly store: Pick<Store, 'commit'>
  /**
   * What the store holds, no older than `revision`: our own last write must be visible, or it would be
   * taken for a removal. Throws while the store's content is not known.
   */
  readonly cluster: (revision: Revision, signal: AbortSignal) => Promise<Cluster>
  /** The revision of what stands unreadable under a key. */
  readonly foreign: (key: string) => Revision | undefined
  readonly adopted: {
    readonly all: () => ReadonlyMap<DefinitionId, Adopted>
    readonly set: (id: DefinitionId, adopted: Adopted) => Promise<void>
    readonly delete: (id: DefinitionId) => Promise<void>
  }
  /** 32 hex digits. */
  readonly randomId: () => string
  /** A step has been taken. */
  readonly onStep: (step: SpreadStep) => void
}

export interface SpreadTarget extends Target<Cluster, Look, SpreadStep> {
  /** As of the last pass, with what went wrong with each. */
  readonly outlooks: () => readonly SeenOutlook[]
  /**
   * Whether a network of this engine is one that containers may be started on: `lost` when it gives
   * way to another host's of the same name, `unknown` when no pass has come to know it yet.
   */
  readonly judge: (dockerId: string) => 'fine' | 'lost' | 'unknown'
}

export interface SeenOutlook extends Outlook {
  readonly problem?: string
}

/** What an engine has to do at once when a host joins a cluster with many networks. */
const stepsAtOnce = 4

export function spreadTarget(sources: SpreadSources): SpreadTarget {
  const { adopted, cluster } = sources
  const problems = new Map<DefinitionId, string>()
  /** Docker's IDs: few ever, and none comes again. */
  const lost = new Set<string>()
  let outlooks: readonly Outlook[] = []
  let written: Revision = 0n
  let seen: { readonly cluster: Cluster; readonly look: Look } | undefined
  async function take(step: SpreadStep, signal: AbortSignal): Promise<Revision | undefined> {
    if (seen === undefined) return undefined
    const revision = await takeStep(step, { ...sources, ...seen, signal })
    problems.delete(step.id)
    sources.onStep(step)
    return revision
  }
  return {
    name: 'spread',
    desired: (signal) => cluster(written, signal),
    async observe(signal) {
      const now = await cluster(written, signal)
      return lookAt(now, { ...sources, adopted: adopted.all(), signal })
    },
    plan(desired, look) {
      seen = { cluster: desired, look }
      outlooks = planSpread(desired, look)
      noteLost(outlooks, lost)
      return outlooks.flatMap(({ step }) => step ?? [])
    },
    async apply(steps, signal) {
      const failures: StepFailure<SpreadStep>[] = []
      const revisions: Revision[] = []
      async function attempt(step: SpreadStep): Promise<void> {
        try {
          revisions.push((await take(step, signal)) ?? 0n)
        } catch (cause) {
          failures.push({ step, cause })
          problems.set(step.id, cause instanceof Error ? cause.message : String(cause))
        }
      }
      for (let start = 0; start < steps.length; start += stepsAtOnce) {
        await Promise.all(steps.slice(start, start + stepsAtOnce).map(attempt))
      }
      // Not the highest ever: a store that lost its data counts anew.
      written = revisions.reduce((one, other) => (one > other ? one : other), 0n)
      return failures
    },
    judge: (dockerId) =>
      judge(dockerId, { lost, adopted: adopted.all(), look: seen?.look, outlooks }),
    outlooks: () => outlooks.map((outlook) => withProblem(outlook, problems.get(outlook.id))),
  }
}

function withProblem(outlook: Outlook, problem: string | undefined): SeenOutlook {
  return outlook.state === 'pending' && problem !== undefined ? { ...outlook, problem } : outlook
}

/** Those that are about to be replaced, unless a container got there before. */
function noteLost(outlooks: readonly Outlook[], lost: Set<string>): void {
  for (const { dockerId, state, step } of outlooks) {
    if (dockerId !== undefined && state === 'conflict') lost.delete(dockerId)
    if (step?.kind === 'remove' && step.lost !== undefined) lost.add(step.dockerId)
  }
}

function judge(
  network: string,
  {
    lost,
    adopted,
    look,
    outlooks,
  }: {
    readonly lost: ReadonlySet<string>
    readonly adopted: Look['adopted']
    readonly look: Look | undefined
    readonly outlooks: readonly Outlook[]
  },
): ReturnType<SpreadTarget['judge']> {
  if (lost.has(network)) return 'lost'
  if ([...adopted.values()].some(({ dockerId }) => dockerId === network)) return 'fine'
  // No pass yet, as while Docker starts containers at boot and answers nobody: those are old networks.
  if (look === undefined) return 'fine'
  if (!look.networks.some(({ id }) => id === network)) return 'unknown'
  const outlook = outlooks.find(({ dockerId }) => dockerId === network)
  return outlook === undefined || outlook.state === 'conflict' ? 'fine' : 'unknown'
}

const nothing: Look = { engine: '', networks: [], adopted: new Map(), used: undefined }

async function lookAt(
  cluster: Cluster,
  {
    engine,
    adopted,
    signal,
  }: Pick<SpreadSources, 'engine'> & {
    readonly adopted: Look['adopted']
    readonly signal: AbortSignal
  },
): Promise<Look> {
  if (cluster.drivers.size === 0) return nothing
  const networks = await engine.networks({ signal })
  const look = { engine: idOfEngine(networks), networks, adopted, used: undefined }
  if (!planSpread(cluster, look).some(({ asksForUse }) => asksForUse === true)) return look
  return { ...look, used: usedBy(await engine.containers({ signal }), networks) }
}

/** Every engine has a network `none`, made with its data; a list without it is no whole list. */
function idOfEngine(networks: readonly EngineNetwork[]): string {
  const none = networks.find(({ name, driver }) => name === 'none' && driver === 'null')
  if (none === undefined) throw new Error('the Docker engine does not list all of its networks')
  return none.id
}

/** A container that was never started names its networks; one that was has their IDs, and needs these. */
export function usedBy(
  containers: readonly EngineContainer[],
  networks: readonly Pick<EngineNetwork, 'id' | 'name'>[],
): Use {
  const attachments = containers.flatMap((container) => container.attachments)
  const names = new Set(
    attachments.filter(({ networkId }) => networkId === '').map(({ network }) => network),
  )
  return {
    bound: new Set([
      ...attachments.map(({ networkId }) => networkId),
      // As in `docker create --net=ID`, where only this says so.
      ...containers.map(({ networkMode }) => networkMode),
    ]),
    named: new Set(networks.filter(({ name }) => names.has(name)).map(({ id }) => id)),
  }
}

type Acting = Omit<SpreadSources, 'cluster'> & {
  readonly cluster: Cluster
  readonly look: Look
  readonly signal: AbortSignal
}

/** The revision that it has written to the store, if it has. One that comes too late does nothing. */
async function takeStep(step: SpreadStep, acting: Acting): Promise<Revision | undefined> {
  const { engine, adopted, signal, randomId, look } = acting
  switch (step.kind) {
    case 'share': {
      const { id: dockerId, driver, name, settings } = step.network
      const definition = { driver, name, generation: randomId(), ...settings }
      return await share({ id: step.id, definition, dockerId }, acting)
    }
    case 'share-again': {
      const dockerId = look.adopted.get(step.id)?.dockerId
      return dockerId === undefined ? undefined : await share({ ...step, dockerId }, acting)
    }
    case 'create': {
      const { driver, name, generation: _generation, ...settings } = step.definition
      const dockerId = await engine.createNetwork({ driver, name }, settings, { signal })
      await adopt({ ...step, dockerId }, acting)
      return undefined
    }
    case 'adopt':
      await adopt(step, acting)
      return undefined
    case 'withdraw': {
      const { id, revision: expected } = step
      const key = definitions.key(id)
      const outcome = await acting.store.commit([{ kind: 'delete', key, expected }])
      return outcome.kind === 'written' ? outcome.revision : undefined
    }
    case 'forget':
      await adopted.delete(step.id)
      return undefined
    case 'remove':
      await engine.removeNetwork(step.dockerId, { signal })
      return undefined
  }
}

interface Known {
  readonly id: DefinitionId
  readonly definition: Definition
  readonly dockerId: string
}

/** Somebody else may be first with this name: then there is nothing written, and another plan. */
async function share(known: Known, acting: Acting): Promise<Revision | undefined> {
  const { store, foreign } = acting
  const key = definitions.key(known.id)
  const text = definitions.encode(known.definition)
  const expected = foreign(key) ?? 0n
  const outcome = await store.commit([{ kind: 'put', key, text, expected }])
  if (outcome.kind === 'stale') return undefined
  const { revision } = outcome
  await adopt(known, { ...acting, cluster: { ...acting.cluster, revision } })
  return revision
}

async function adopt(
  { id, definition, dockerId }: Known,
  { adopted, cluster, look }: Acting,
): Promise<void> {
  const { epoch, revision } = cluster
  await adopted.set(id, { definition, dockerId, engine: look.engine, epoch, revision })
}
