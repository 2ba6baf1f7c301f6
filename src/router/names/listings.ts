/**
 * Everybody who has a name now, as `naming/resolve.ts` asks for it: this host's own endpoints from its own facts,
 * which need no store, and the others' from the view.
 *
 * Also: which networks a sandbox is on, for what its container may be told.
 */

import { isEndpointId } from '../../model/cluster.ts'
import type { HostId, NetworkId } from '../../model/cluster.ts'
import { resolve } from '../../naming/resolve.ts'
import type { Added, Directory, Named, NameQuestion, Resolution } from '../../naming/resolve.ts'
import type { View } from '../../store/view.ts'
import { toLocalEndpoint } from '../facts.ts'
import type { Facts } from '../facts.ts'
import { remember } from '../remember.ts'
import type { Roster } from './roster.ts'
import { saidHere } from './static-names.ts'

export interface Listings {
  /** What a container is told, by the path of its network namespace. */
  readonly answer: (question: NameQuestion, sandbox: string) => Resolution
  /** What an asker on all networks would be told: this host itself. */
  readonly answerHost: (question: NameQuestion) => Resolution
  /** Namespaces of the containers that are on a network of ours. */
  readonly sandboxes: () => ReadonlyMap<string, readonly NetworkId[]>
}

export interface ListingsSources {
  readonly roster: Pick<Roster, 'inSandbox' | 'called'>
  readonly self: HostId
  readonly facts: Facts
  readonly view: Pick<
    View,
    'networks' | 'endpointsNamed' | 'endpointsAt' | 'staticNamed' | 'staticAt'
  >
  readonly domain: string
}

export function createListings(sources: ListingsSources): Listings {
  const { facts, view, domain } = sources
  const directory = createDirectory(sources)
  const sandboxes = remember(() => groupBySandbox(facts))
  return {
    answer(question, sandbox) {
      const networks = sandboxes(String(facts.version())).get(sandbox) ?? []
      const resolution = resolve(question, { networks }, { directory, domain })
      if (resolution.kind !== 'addresses' && resolution.kind !== 'no-data') return resolution
      const rivals = findRivals(question.name, sandbox, sources)
      if (rivals.length === 0) return resolution
      const ours = containersNamed(question.name, networks, directory)
      return rivals.every((container) => ours.has(container)) ? resolution : { kind: 'foreign' }
    },
    answerHost(question) {
      const networks = new Set([...view.networks().keys(), ...facts.networks.keys()])
      return resolve(question, { networks }, { directory, domain })
    },
    sandboxes: () => sandboxes(String(facts.version())),
  }
}

function createDirectory({ self, facts, view }: ListingsSources): Directory {
  const index = remember(() => ({ named: indexOwn(facts), added: saidHere(facts, self) }))
  function own(network: NetworkId, what: string): readonly Named[] {
    return index(String(facts.version())).named.get(`${network}/${what}`) ?? []
  }
  function added(): readonly Added[] {
    return index(String(facts.version())).added
  }
  return {
    *endpointsNamed(network, name) {
      yield* own(network, name)
      for (const { value } of view.endpointsNamed(network, name))
        if (value.host !== self) yield value
    },
    *endpointsAt(network, address) {
      yield* own(network, address)
      for (const { value } of view.endpointsAt(network, address))
        if (value.host !== self) yield value
    },
    *addedNamed(name) {
      for (const { value } of view.staticNamed(name)) if (value.host !== self) yield value
      yield* added().filter((one) => one.name === name)
    },
    *addedAt(address) {
      for (const { value } of view.staticAt(address)) if (value.host !== self) yield value
      yield* added().filter(({ addresses }) => addresses.includes(address))
    },
  }
}

/**
 * Containers of this engine that go by the name in a network which is not ours and which the asker is on,
 * too. One that we do not know by that name was meant before there was weave, and Docker says who it is.
 */
function findRivals(
  asked: string,
  sandbox: string,
  { roster, facts }: ListingsSources,
): readonly string[] {
  const name = asked.toLowerCase()
  const attachments = roster.inSandbox(sandbox)?.attachments ?? []
  return attachments.flatMap(({ endpointId, networkId }) =>
    isEndpointId(endpointId) && facts.endpoints.has(endpointId)
      ? []
      : roster.called(name, networkId),
  )
}

function containersNamed(
  asked: string,
  networks: readonly NetworkId[],
  directory: Directory,
): ReadonlySet<string> {
  const named = networks.flatMap((network) => [
    ...directory.endpointsNamed(network, asked.toLowerCase()),
  ])
  return new Set(named.map(({ naming }) => naming?.container ?? ''))
}

/** By network and name, and by network and address: a slash is in none of them. */
function indexOwn({ endpoints }: Pick<Facts, 'endpoints'>): ReadonlyMap<string, readonly Named[]> {
  const index = new Map<string, Named[]>()
  for (const endpoint of endpoints.values()) {
    const { network, naming, phase } = endpoint
    if (naming === undefined || phase === 'left') continue
    const { addresses } = toLocalEndpoint(endpoint)
    for (const what of [...naming.names, ...addresses]) {
      const key = `${network}/${what}`
      index.set(key, [...(index.get(key) ?? []), { addresses, naming }])
    }
  }
  return index
}

/** Of containers that have joined and not left. */
function groupBySandbox({
  endpoints,
}: Pick<Facts, 'endpoints'>): ReadonlyMap<string, readonly NetworkId[]> {
  const groups = new Map<string, NetworkId[]>()
  for (const { sandbox, phase, network } of endpoints.values()) {
    if (sandbox === undefined || phase !== 'joined') continue
    groups.set(sandbox, [...(groups.get(sandbox) ?? []), network])
  }
  return groups
}
