/**
 * Decides what makes a network that somebody created on one host a network of every host.
 *
 * Without a cluster store each engine keeps its own list of networks, and this host has three things
 * to compare: what the cluster shares, what the engine has, and what this host has *adopted*, that is,
 * known to be the same on both sides. The third tells "removed here" from "not made here yet".
 *
 *   shared  engine  adopted
 *     –       ×        –      a user made it here            → share
 *     ×       –        –      made elsewhere                 → create
 *     ×       ×        –      same settings                  → adopt; else the cluster's wins
 *     ×       –        ×      a user removed it here         → withdraw
 *     –       ×        ×      removed elsewhere              → remove, once nothing here uses it
 *     –       –        ×      gone on both sides             → forget
 *
 * What bites:
 *   - A store that lost its data looks like one from which everything was removed. So an adopted
 *     network remembers in which store (`epoch`) and when (`revision`) it was seen there; missing in
 *     another one, or in one that has gone back in time, it is shared again.
 *   - An engine that lost its data looks like one on which a user removed everything. Its network
 *     `none` then has another ID, which therefore says which engine it is.
 *   - Docker keeps a network that a running container is on, but not one that a stopped container
 *     needs for its next start. Both count as use here.
 *
 * Pure. One step for each network and pass; the next look shows what it has done.
 *
 * Invariants
 *   - Only networks of announced drivers are touched, and of those only ones that are adopted, or
 *     that lost the race for their name and are not in use.
 *   - A network in use is never removed.
 *   - What was shared is withdrawn only in the generation that was adopted.
 */

import { definitionId, differences, segmentOption } from '../model/definition.ts'
import type { Definition, DefinitionId, NetworkSettings } from '../model/definition.ts'

/** A network as one engine has it. */
export interface EngineNetwork {
  readonly id: string
  readonly name: string
  readonly driver: string
  readonly scope: string
  readonly settings: NetworkSettings
}

export interface Adopted {
  readonly definition: Definition
  /** The engine's own ID of it. */
  readonly dockerId: string
  /** Which engine, by the ID of its network `none`. */
  readonly engine: string
  /** Where and when it was last known to be shared. */
  readonly epoch: string
  readonly revision: bigint
}

export interface Shared {
  readonly definition: Definition
  readonly revision: bigint
  /** The store has lost it, nobody has removed it. */
  readonly held?: true | undefined
}

export interface Cluster {
  /** Those of announced drivers. */
  readonly shared: ReadonlyMap<DefinitionId, Shared>
  /** The life of the store's data: another one after it was lost. */
  readonly epoch: string
  /** Everything up to here is in `shared`. */
  readonly revision: bigint
  /** Announced on this host, in local scope. */
  readonly drivers: ReadonlySet<string>
}

export interface Look {
  readonly engine: string
  /** All of them, of whatever driver. */
  readonly networks: readonly EngineNetwork[]
  readonly adopted: ReadonlyMap<DefinitionId, Adopted>
  /** Undefined when nobody has looked for containers. */
  readonly used: Use | undefined
}

/** IDs of networks that containers need, running or not. */
export interface Use {
  /** This very network: it must stay. */
  readonly bound: ReadonlySet<string>
  /** One of this name: never started yet, so that any other of the name would do. */
  readonly named: ReadonlySet<string>
}

export type SpreadStep =
  | { readonly kind: 'share'; readonly id: DefinitionId; readonly network: EngineNetwork }
  /** The store has lost it. */
  | { readonly kind: 'share-again'; readonly id: DefinitionId; readonly definition: Definition }
  | { readonly kind: 'create'; readonly id: DefinitionId; readonly definition: Definition }
  | {
      readonly kind: 'adopt'
      readonly id: DefinitionId
      readonly definition: Definition
      readonly dockerId: string
    }
  | { readonly kind: 'withdraw'; readonly id: DefinitionId; readonly revision: bigint }
  | { readonly kind: 'forget'; readonly id: DefinitionId }
  | {
      readonly kind: 'remove'
      readonly id: DefinitionId
      readonly dockerId: string
      /** What the network of this name differed in, when it lost against the cluster's. */
      readonly lost?: readonly string[]
    }

/**
 * `everywhere`  the same here and in the cluster
 * `pending`     something is still to be done, and nothing stands in the way
 * `leaving`     removed elsewhere; containers here still use it
 * `conflict`    the engine has another network of this name, which is in use or not ours
 */
export type SpreadState = 'everywhere' | 'pending' | 'leaving' | 'conflict'

export interface Outlook {
  readonly id: DefinitionId
  readonly state: SpreadState
  /** As it is here, or else as the cluster has it. */
  readonly network: { readonly driver: string; readonly name: string } & NetworkSettings
  readonly dockerId?: string
  readonly step?: SpreadStep
  /** In a conflict: what the two networks of this name differ in. */
  readonly differs?: readonly string[]
  /** Whether what to do depends on containers that nobody has looked for. */
  readonly asksForUse?: true
}

/** What is and what is to be done, for each network that this concerns. */
export function planSpread(cluster: Cluster, look: Look): readonly Outlook[] {
  const byName = new Map<DefinitionId, EngineNetwork[]>()
  for (const network of look.networks) {
    for (const driver of cluster.drivers) {
      const id = definitionId({ driver, name: network.name })
      if (id !== undefined) byName.set(id, [...(byName.get(id) ?? []), network])
    }
  }
  const adopted = [...look.adopted]
    .filter(([, { definition }]) => cluster.drivers.has(definition.driver))
    .map(([id]) => id)
  const ids = new Set([...cluster.shared.keys(), ...adopted, ...byName.keys()])
  return [...ids].flatMap((id) => {
    const all = byName.get(id) ?? []
    const own = adoptedHere(id, look)
    const shared = cluster.shared.get(id)
    const one = { id, all, shared, cluster, look }
    const outlook = own === undefined ? planStranger(one) : planAdopted({ ...one, own })
    return outlook === undefined ? [] : [outlook]
  })
}

interface One {
  readonly id: DefinitionId
  /** Every network of this name on the engine. */
  readonly all: readonly EngineNetwork[]
  readonly shared: Shared | undefined
  readonly cluster: Cluster
  readonly look: Look
}

/** Undefined where this engine never had it: none was adopted, or Docker's data was lost since. */
function adoptedHere(id: DefinitionId, { adopted, engine }: Look): Adopted | undefined {
  const own = adopted.get(id)
  return own?.engine === engine ? own : undefined
}

function planAdopted(one: One & { readonly own: Adopted }): Outlook | undefined {
  const here = one.all.find(({ id }) => id === one.own.dockerId)
  return here === undefined ? planRemovedHere(one) : planKept({ ...one, here })
}

/** A user has removed it from this engine, or the engine has forgotten it. */
function planRemovedHere(one: One & { readonly own: Adopted }): Outlook | undefined {
  const { id, shared, own, cluster } = one
  const base = { id, network: own.definition, state: 'pending' } as const
  const successor = only(one)
  if (shared === undefined) {
    if (!isLost(own, cluster)) return { ...base, step: { kind: 'forget', id } }
    // Another host may share it again at any time; it is then to be withdrawn, not created.
    return successor === undefined ? undefined : share(id, successor)
  }
  if (shared.held === true) return base
  if (shared.definition.generation !== own.definition.generation) {
    return { ...base, step: { kind: 'forget', id } }
  }
  if (successor !== undefined && differences(successor.settings, shared.definition).length === 0) {
    return adopt(id, shared, successor)
  }
  return { ...base, step: { kind: 'withdraw', id, revision: shared.revision } }
}

/** It is adopted and still on the engine. */
function planKept(
  one: One & { readonly own: Adopted; readonly here: EngineNetwork },
): Outlook | undefined {
  const { id, shared, own, here, cluster } = one
  const base = { id, network: describe(here), dockerId: here.id }
  if (shared === undefined || shared.held === true) {
    if (shared === undefined && !isLost(own, cluster)) return leave(one)
    return {
      ...base,
      state: 'pending',
      step: { kind: 'share-again', id, definition: own.definition },
    }
  }
  if (shared.definition.generation !== own.definition.generation) {
    const isSame = differences(here.settings, shared.definition).length === 0
    return isSame ? adopt(id, shared, here) : leave(one)
  }
  // Seen in a store that is not the one it was seen in before.
  if (isLost(own, cluster)) return adopt(id, shared, here)
  const [second] = ours(one).filter((network) => network !== here)
  return second === undefined ? { ...base, state: 'everywhere' } : giveWay(one, second, [twice])
}

/** Removed elsewhere, and perhaps made anew: it goes as soon as nothing here needs it. */
function leave(one: One & { readonly here: EngineNetwork }): Outlook {
  const { id, here, look } = one
  const base = { id, network: describe(here), dockerId: here.id }
  if (look.used === undefined) return { ...base, state: 'pending', asksForUse: true }
  const { bound, named } = look.used
  if (bound.has(here.id) || named.has(here.id)) return { ...base, state: 'leaving' }
  return { ...base, state: 'pending', step: { kind: 'remove', id, dockerId: here.id } }
}

/** Nothing of this name is adopted on this engine. */
function planStranger(one: One): Outlook | undefined {
  const { id, all, shared, look } = one
  const here = only(one)
  const [same] = shared === undefined ? [] : ours(one).filter(isSameAs(shared))
  if (shared === undefined) {
    if (here !== undefined) return share(id, here)
    const stale = look.adopted.get(id)
    if (stale === undefined) return undefined
    return { id, network: stale.definition, state: 'pending', step: { kind: 'forget', id } }
  }
  const base = { id, network: shared.definition, state: 'pending' } as const
  if (shared.held === true) return base
  if (all.length === 0) {
    return { ...base, step: { kind: 'create', id, definition: shared.definition } }
  }
  // Others of this name, if they are ours, give way once this one is adopted.
  if (same !== undefined) return adopt(id, shared, same)
  if (here === undefined) return dispute(one, shared)
  return giveWay(one, here, differences(here.settings, shared.definition))
}

/** Made on two hosts, or twice on this one, before either was known: the one in the store stays. */
function giveWay({ id, look }: One, here: EngineNetwork, differs: readonly string[]): Outlook {
  const base = { id, network: describe(here), dockerId: here.id }
  if (look.used === undefined) return { ...base, state: 'pending', asksForUse: true }
  if (look.used.bound.has(here.id)) return { ...base, state: 'conflict', differs }
  const step = { kind: 'remove', id, dockerId: here.id, lost: differs } as const
  return { ...base, state: 'pending', step }
}

/** Engines before 25 may be told twice at once to make a network of one name, and then have two. */
const twice = 'made twice on this host at the same moment'

/** Those of this name that are of this driver and for all hosts. */
function ours({ id, all, cluster }: One): readonly EngineNetwork[] {
  return all.filter((network) => definitionId(network) === id && isSpread(network, cluster.drivers))
}

/** The one network of this name, if it is of this driver and for all hosts. */
function only(one: One): EngineNetwork | undefined {
  return one.all.length === 1 ? ours(one)[0] : undefined
}

function isSameAs({ definition }: Shared): (network: EngineNetwork) => boolean {
  return ({ settings }) => differences(settings, definition).length === 0
}

/** There is something of this name on the engine that is not for us to judge. */
function dispute({ id, all }: One, { definition }: Shared): Outlook {
  const [strange, ...more] = all
  const differs =
    more.length > 0 || strange === undefined
      ? `${all.length} networks of this name here, one in the cluster`
      : `driver: ${strange.driver} with IPAM driver ${strange.settings.ipamDriver} here, ${definition.driver} with ${definition.ipamDriver} in the cluster`
  return { id, network: definition, state: 'conflict', differs: [differs] }
}

function share(id: DefinitionId, network: EngineNetwork): Outlook {
  const step = { kind: 'share', id, network } as const
  return { id, network: describe(network), dockerId: network.id, state: 'pending', step }
}

function adopt(id: DefinitionId, { definition }: Shared, here: EngineNetwork): Outlook {
  const step = { kind: 'adopt', id, definition, dockerId: here.id } as const
  return { id, network: describe(here), dockerId: here.id, state: 'pending', step }
}

/** Whether the store may lack it without anybody having removed it. */
function isLost({ epoch, revision }: Adopted, cluster: Cluster): boolean {
  return epoch !== cluster.epoch || revision > cluster.revision
}

/**
 * Whether a network is one for all hosts: of a driver of ours, in local scope, with addresses that no
 * two hosts give twice. Docker's own address management does; it counts from the start on every host.
 */
export function isSpread(
  { driver, scope, settings }: EngineNetwork,
  drivers: ReadonlySet<string>,
): boolean {
  const { ipamDriver, options } = settings
  if (!drivers.has(driver) || scope !== 'local' || ipamDriver === 'default') return false
  return drivers.has(ipamDriver) || options[segmentOption] !== undefined
}

function describe({ driver, name, settings }: EngineNetwork): Outlook['network'] {
  return { driver, name, ...settings }
}
