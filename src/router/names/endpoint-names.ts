/**
 * Keeps the facts of this host's endpoints true about what their containers are called.
 *
 * Docker tells a driver neither the container nor its names. Three ways lead from an endpoint to its
 * container: the engine shows the endpoint's ID once the container runs; it shows the container's
 * namespace; and, before it shows anything, a process of the container is in the namespace.
 *
 * While the engine is away the names that an endpoint has stay with it.
 */

import type { ContainerDetails } from '../../docker/engine.ts'
import type { EndpointId } from '../../model/cluster.ts'
import { maxNames } from '../../model/name.ts'
import type { Naming } from '../../model/name.ts'
import { nameContainer } from '../../naming/called.ts'
import type { Turns } from '../../reconcile/turns.ts'
import type { Facts, OwnEndpoint } from '../facts.ts'
import type { Roster } from './roster.ts'

export interface EndpointNames {
  /** The engine has news: looks at all endpoints. Whoever has an endpoint's turn must not wait for it. */
  readonly refresh: () => Promise<void>
  /** A namespace has come to be: looks at the endpoints in it. As `refresh`. */
  readonly meet: (sandbox: string, signal: AbortSignal) => Promise<void>
  /** What this endpoint is called, as far as can be told now; never fails. */
  readonly of: (endpoint: OwnEndpoint, signal: AbortSignal) => Promise<Naming | undefined>
}

export interface EndpointNamesSources {
  readonly facts: Facts
  readonly turns: Turns
  readonly roster: Omit<Roster, 'follow'>
  readonly domain: string
  /** The whole ID of the container that has processes in a sandbox, if it can be told. */
  readonly ownerOf: (sandbox: string) => Promise<string | undefined>
  readonly onChange: () => void
  /** Milliseconds since 1970, as `since` of an endpoint is told in. */
  readonly now: () => number
}

type Attachment = ContainerDetails['attachments'][number]

/** What a container's start may wait for its names; they follow when it was too short. */
const patienceMs = 100
/** From Join to the first process; only then does the engine say that a container runs. */
const longestStartMs = 30_000

export function createEndpointNames(sources: EndpointNamesSources): EndpointNames {
  const { facts, turns, roster, onChange } = sources
  const { known, find } = createNamer(sources)

  /** True when it was called otherwise before. */
  async function renew(id: EndpointId, look: Look): Promise<boolean> {
    const endpoint = facts.endpoints.get(id)
    if (endpoint === undefined || endpoint.phase === 'left') return false
    const found = await look(endpoint)
    const naming = found ?? ((await isOver(endpoint)) ? undefined : endpoint.naming)
    if (JSON.stringify(naming) === JSON.stringify(endpoint.naming)) return false
    await facts.setEndpoint({ ...endpoint, naming })
    return true
  }

  /**
   * Its container ended, or has another endpoint in its place, and we were not there to be told. One that is
   * being started does not run yet, either, but has a process in its namespace, and has joined a moment ago.
   */
  async function isOver(endpoint: OwnEndpoint): Promise<boolean> {
    const { naming, since, sandbox = '' } = endpoint
    if (naming === undefined || !roster.isRead()) return false
    const container = roster.running(naming.container)
    if (container === undefined) {
      const isOld = sources.now() - Date.parse(since) > longestStartMs
      return isOld || (await sources.ownerOf(sandbox)) === undefined
    }
    const dockerId = endpoint.dockerNetwork ?? endpoint.network
    const now = container.attachments.find(({ networkId }) => networkId === dockerId)
    return now !== undefined && now.endpointId !== endpoint.id
  }

  async function renewAll(endpoints: Iterable<OwnEndpoint>, look: Look): Promise<void> {
    const changes = await Promise.all(
      [...endpoints].map(({ id }) => turns.take(id, () => renew(id, look))),
    )
    if (changes.includes(true)) onChange()
  }

  return {
    refresh: () => renewAll(facts.endpoints.values(), async (endpoint) => known(endpoint)),
    meet(sandbox, signal) {
      const inside = [...facts.endpoints.values()].filter((one) => one.sandbox === sandbox)
      return renewAll(inside, (endpoint) => find(endpoint, signal))
    },
    of: async (endpoint, signal) => (await find(endpoint, signal)) ?? endpoint.naming,
  }
}

type Look = (endpoint: OwnEndpoint) => Promise<Naming | undefined>

function createNamer({ facts, roster, domain, ownerOf }: EndpointNamesSources): {
  /** From what the engine has said so far. */
  readonly known: (endpoint: OwnEndpoint) => Naming | undefined
  /** The same, or else by looking for the container. */
  readonly find: (endpoint: OwnEndpoint, signal: AbortSignal) => Promise<Naming | undefined>
} {
  function name(endpoint: OwnEndpoint, container: ContainerDetails): Naming {
    const attachment = pick(container, endpoint, roster)
    const dockerId = endpoint.dockerNetwork ?? endpoint.network
    const network = roster.networkName(dockerId) ?? attachment?.network ?? ''
    const aliases = attachment?.aliases ?? []
    const naming = nameContainer(container, { network, aliases }, { domain })
    const names = new Set([...naming.names, ...addedNames(endpoint, container, facts)])
    return { ...naming, names: [...names].slice(0, maxNames) }
  }

  function known(endpoint: OwnEndpoint): Naming | undefined {
    const { id, sandbox = '' } = endpoint
    const container = roster.withEndpoint(id) ?? roster.inSandbox(sandbox)
    return container === undefined ? undefined : name(endpoint, container)
  }

  return {
    known,
    async find(endpoint, signal) {
      const naming = known(endpoint)
      if (naming !== undefined) return naming
      const owner = await ownerOf(endpoint.sandbox ?? '').catch(() => undefined)
      if (owner === undefined) return undefined
      const soon = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)])
      const container = await roster.find(owner, soon)
      return container === undefined ? undefined : name(endpoint, container)
    },
  }
}

/** Names that somebody added for this container, in all of its networks or in this one. */
function addedNames(
  { network }: OwnEndpoint,
  { id }: ContainerDetails,
  { staticNames }: Facts,
): readonly string[] {
  return [...staticNames.values()].flatMap((one) => {
    const isOfContainer = one.container === id && one.addresses.length === 0
    const isHere = one.network === undefined || one.network === network
    return isOfContainer && isHere ? [one.name] : []
  })
}

/** Before a container's first start its attachments have nothing but what was written after `--net`. */
function pick(
  { attachments }: ContainerDetails,
  endpoint: OwnEndpoint,
  { networkName }: Pick<Roster, 'networkName'>,
): Attachment | undefined {
  const dockerId = endpoint.dockerNetwork ?? endpoint.network
  const called = networkName(dockerId)
  const [first, ...more] = attachments
  return (
    attachments.find(({ endpointId }) => endpointId === endpoint.id) ??
    attachments.find(({ networkId }) => networkId === dockerId) ??
    attachments.find(({ network }) => network === called || network === dockerId) ??
    (more.length === 0 ? first : undefined)
  )
}
