/** Puts together what this router has for names: who is called what, who is told, and where. */

import type { Counters } from '../../dns/respond.ts'
import type { Engine } from '../../docker/engine.ts'
import { findSandbox, ownerOf } from '../../docker/sandbox.ts'
import type { HostId, NetworkId } from '../../model/cluster.ts'
import type { Naming } from '../../model/name.ts'
import type { NameQuestion, Resolution } from '../../naming/resolve.ts'
import type { Turns } from '../../reconcile/turns.ts'
import type { Dns } from '../../settings/dns.ts'
import type { View } from '../../store/view.ts'
import type { Listeners, Places } from '../../targets/listeners.ts'
import { openResolver } from '../../targets/resolver.ts'
import type { Resolver } from '../../targets/resolver.ts'
import { createResolvers } from '../../targets/resolvers.ts'
import type { Resolvers } from '../../targets/resolvers.ts'
import type { Facts, OwnEndpoint } from '../facts.ts'
import type { Logger } from '../log.ts'
import { toAnswer } from './answers.ts'
import { createByHand } from './by-hand.ts'
import type { ByHand } from './by-hand.ts'
import { createEndpointNames } from './endpoint-names.ts'
import type { EndpointNames } from './endpoint-names.ts'
import { createHostListeners } from './host-listeners.ts'
import { createListings } from './listings.ts'
import type { Listings } from './listings.ts'
import { createRoster } from './roster.ts'
import type { Roster } from './roster.ts'
import { createTally } from './tally.ts'

export interface Names {
  /** Opens the resolver of an endpoint that joins, and says what its container is called; never fails. */
  readonly introduce: (endpoint: OwnEndpoint, signal: AbortSignal) => Promise<Naming | undefined>
  readonly resolvers: Resolvers<Resolver>['target']
  /** In the host's own network namespace. */
  readonly listeners: Listeners['target']
  /** What this host itself may know, of all networks: addresses of a name, or names of an address. */
  readonly lookup: (question: NameQuestion) => Resolution
  readonly activity: () => Activity
  /** What somebody adds and removes. */
  readonly byHand: Pick<ByHand, 'add' | 'remove'>
  /** Follows the engine, and answers, until the router ends. */
  readonly run: () => Promise<void>
}

/** Who is answered, and how it goes. */
export interface Activity {
  readonly containers: number
  /** Where this host's own programs may ask, and where containers may that are told to. */
  readonly listening: Places
  readonly questions: Counters
}

export interface NamesSources {
  readonly self: HostId
  readonly facts: Facts
  readonly view: View
  readonly turns: Turns
  readonly engine: Engine
  readonly dns: Dns
  /** In local scope: their networks are known to the cluster under other IDs. */
  readonly localDrivers: () => ReadonlySet<string>
  readonly log: Logger
  readonly signal: AbortSignal
  /** Something that this host knows by itself has changed. */
  readonly onChange: () => void
}

export function createNames(sources: NamesSources): Names {
  const { dns, log, signal } = sources
  const { roster, names, byHand } = createRegister(sources)
  const listings = createListings({ ...sources, roster, domain: dns.domain })
  const { resolvers, listeners, activity } = createAnswering(sources, { roster, names, listings })
  return {
    async introduce(endpoint, callSignal) {
      try {
        if (endpoint.sandbox !== undefined && dns.isOn) await resolvers.ensure(endpoint.sandbox)
      } catch (error) {
        log.warn({ endpoint: endpoint.id, err: error }, 'names are left to Docker')
      }
      return names.of(endpoint, callSignal).catch(() => endpoint.naming)
    },
    resolvers: resolvers.target,
    listeners: listeners.target,
    lookup: listings.answerHost,
    byHand,
    activity,
    async run() {
      await Promise.all([roster.follow(signal), resolvers.keep(signal)])
      await listeners[Symbol.asyncDispose]()
    },
  }
}

/** Who is called what, kept true by what the engine says. */
interface Register {
  readonly roster: Roster
  readonly names: EndpointNames
  readonly byHand: ByHand
}

function createRegister(sources: NamesSources): Register {
  const { engine, dns, onChange } = sources
  const { domain } = dns
  const roster = createRoster({ engine, onChange: () => void refresh() })
  const names = createEndpointNames({
    ...sources,
    roster,
    domain,
    ownerOf: findOwner,
    now: Date.now,
  })
  const byHand = createByHand({
    ...sources,
    known: () => knownNetworks(sources),
    hasContainer: (id) => roster.containers().has(id),
    domain,
    async onChange() {
      await refresh()
      onChange()
    },
  })
  const refresh = coalesced(async () => {
    await names.refresh()
    if (await byHand.prune()) onChange()
  })
  return { roster, names, byHand }
}

interface Answering {
  readonly resolvers: Resolvers<Resolver>
  readonly listeners: Listeners
  readonly activity: () => Activity
}

function createAnswering(
  { engine, facts, dns, signal }: NamesSources,
  { roster, names, listings }: Omit<Register, 'byHand'> & { readonly listings: Listings },
): Answering {
  const tally = createTally()
  const resolvers = createResolvers({
    desired: () => (dns.isOn ? listings.sandboxes() : nobody),
    find: findSandbox,
    open: async (sandbox, file) => tally.follow(await openFor(sandbox, file, { listings, dns })),
    // What fails here is made up for with the engine's next news.
    onOpened: (sandbox) => void names.meet(sandbox, signal).catch(() => {}),
  })
  const listeners = createHostListeners({ engine, roster, listings, dns, version: facts.version })
  return {
    resolvers,
    listeners,
    activity() {
      const running = [...resolvers.open().values()].map(({ counters }) => counters())
      return {
        containers: running.length,
        listening: listeners.places(),
        questions: tally.with([...running, ...listeners.counters()]),
      }
    },
  }
}

function knownNetworks({ facts, view }: NamesSources): ReadonlySet<NetworkId> {
  const own = [...facts.networks.values()].filter(({ removed }) => removed !== true)
  return new Set([...view.networks().keys(), ...own.map(({ id }) => id)])
}

function openFor(
  sandbox: string,
  file: string,
  { listings, dns }: { readonly listings: Listings; readonly dns: Dns },
): Promise<Resolver> {
  const { domain: zone, ttlSeconds } = dns
  return openResolver(file, {
    zone,
    ttlSeconds,
    decide: (question) => toAnswer(listings.answer(question, sandbox), dns),
  })
}

const nobody: ReadonlyMap<string, unknown> = new Map()

async function findOwner(sandbox: string): Promise<string | undefined> {
  const found = await findSandbox(sandbox)
  return found === undefined ? undefined : ownerOf(found.inode)
}

/**
 * One run at a time, and one more after it for all that was asked meanwhile; a failure waits for the
 * next. What is returned resolves when a run has ended that began after it was asked for.
 */
function coalesced(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let again = false
  async function run(): Promise<void> {
    while (again) {
      again = false
      await work().catch(() => {})
    }
    running = undefined
  }
  return () => {
    again = true
    running ??= run()
    return running
  }
}
