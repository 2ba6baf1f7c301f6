/**
 * The cluster as this router sees it, in the shapes that the rest of it asks for.
 *
 * The view of the store is the one source; nothing here remembers anything but what was worked out
 * from it last, so that an unchanged cluster gives the very same objects (drift is counted by that).
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { addRemote, gatherElsewhere, localSegments } from '../datapath/segment.ts'
import type { Segment } from '../datapath/segment.ts'
import type { Endpoint, Host, HostId, Network, NetworkId } from '../model/cluster.ts'
import { hostIdTaken } from '../model/faults.ts'
import type { OwnRecords, PublishedRecords } from '../store/publication.ts'
import type { LeaseId, Revision } from '../store/store.ts'
import type { Seen, View } from '../store/view.ts'
import { toLocalEndpoint } from './facts.ts'
import type { Facts } from './facts.ts'
import { saidHere } from './names/static-names.ts'
import { remember, rememberEach } from './remember.ts'
import { until } from './until.ts'

export interface ClusterSources {
  readonly self: Host
  readonly mtuBytes: number
  readonly facts: Facts
  readonly view: View
  /** Subnets that this host has routes to. */
  readonly routes: () => readonly string[]
  /** For the identity and the epoch of a store that has none. */
  readonly randomId: () => string
  /** Networks that Docker has here, with or without a container. */
  readonly kept: () => ReadonlySet<NetworkId>
}

export interface Cluster {
  /** From this host's own facts alone: what links need. */
  readonly localSegments: () => readonly Segment[]
  /**
   * With everybody else's endpoints. Throws before the store has been read.
   * @param epoch another number asks for a new object, though nothing has changed.
   */
  readonly segments: (epoch: number) => readonly Segment[]
  /**
   * Underlay addresses of all hosts, our own among them. Throws before the store has been read: a
   * filter that lets in nobody else would cut every flow.
   */
  readonly hostAddresses: () => readonly Host['address'][]
  readonly own: (lease: LeaseId) => OwnRecords
  /** Waits until the view has come to `revision`. Throws before the store has been read. */
  readonly published: (revision: Revision, signal: AbortSignal) => Promise<PublishedRecords>
  /** Waits until the view has come to `revision`. Throws when it cannot be relied on. */
  readonly caughtUp: (revision: Revision, signal: AbortSignal) => Promise<void>
  readonly network: (id: NetworkId) => Network | undefined
  /** Of every network that the cluster knows. Throws before the store has been read. */
  readonly networkIds: () => ReadonlySet<NetworkId>
}

const catchUpMs = 3000

export function createCluster(sources: ClusterSources): Cluster {
  const { self, facts, view, routes } = sources
  const newClusterId = sources.randomId()
  const { local, complete } = rememberSegments(sources)
  const addresses = remember(() => {
    const others = [...hostsOf(view).values()].filter(({ id }) => id !== self.id)
    return [self, ...others].map(({ address }) => address)
  })
  const networkIds = remember(() => new Set(view.networks().keys()))
  const own = remember((lease: LeaseId, clusterId: string) =>
    ownRecords(sources, { lease, clusterId }),
  )
  return {
    localSegments: () => local(String(facts.version())),
    segments(epoch) {
      requireView(view)
      return complete(`${facts.version()} ${view.version()} ${epoch}`)
    },
    hostAddresses() {
      requireView(view)
      return addresses(String(view.version()))
    },
    own(lease) {
      // Whoever lost the race for founding a cluster belongs to the winner's.
      const clusterId = view.home() ?? newClusterId
      // A store that has lost its data twice must not get the same epoch twice.
      const loss = view.epoch() === undefined ? view.version() : ''
      const key = [facts.version(), lease, clusterId, loss, ...routes(), ...sources.kept()]
      return own(key.join(' '), lease, clusterId)
    },
    async published(revision, signal) {
      await caughtUp(view, revision, signal)
      return publishedRecords(view, self)
    },
    caughtUp: (revision, signal) => caughtUp(view, revision, signal),
    network: (id) => view.networks().get(id)?.value,
    networkIds() {
      requireView(view)
      return networkIds(`${facts.version()} ${view.version()}`)
    },
  }
}

/** Worked out anew only when what they are made from has changed; see the keys they are asked with. */
function rememberSegments({ self, mtuBytes, facts, view }: ClusterSources): {
  readonly local: (key: string) => readonly Segment[]
  readonly complete: (key: string) => readonly Segment[]
} {
  const local = remember(() =>
    localSegments({
      networks: facts.networks,
      endpoints: [...facts.endpoints.values()].map(toLocalEndpoint),
      mtuBytes,
    }),
  )
  const elsewhere = remember(() => {
    const cluster = { self, hosts: hostsOf(view), endpointsIn: view.endpointsIn }
    return rememberEach((network: NetworkId) => gatherElsewhere(network, cluster))
  })
  const complete = remember(() => {
    const gather = elsewhere(String(view.version()))
    return local(String(facts.version())).map((segment) =>
      addRemote(segment, gather(segment.network)),
    )
  })
  return { local, complete }
}

interface ClaimOptions {
  readonly patienceMs: number
  readonly answers: (host: Host, signal: AbortSignal) => Promise<boolean>
  readonly signal: AbortSignal
}

/**
 * Makes sure that no living host has our identity, before we publish under it.
 *
 * A record at our own address is our own, left by the router before this one. One at another
 * address may be ours too, from before the address changed: then nobody answers there, it is not
 * renewed, and vanishes with its lease. If it stays, somebody keeps it alive.
 *
 * @param options.answers whether a router with this identity answers where the record says.
 * @throws HOST_ID_TAKEN
 */
export async function claimIdentity(
  self: Host,
  view: View,
  { patienceMs, answers, signal }: ClaimOptions,
): Promise<void> {
  await view.ready
  const deadline = Date.now() + patienceMs
  while (!signal.aborted) {
    const other = view.hosts().get(self.id)?.value
    if (other === undefined || other.address === self.address) return
    if (Date.now() > deadline || (await answers(other, signal))) refuseCopy(self, other)
    await sleep(200, undefined, { signal })
  }
}

function requireView(view: View): void {
  if (!view.isReady()) throw new Error('the store has not been read yet')
}

/** What is held is in the view, but no longer in the store: it must be written again. */
function inStore<Key, T>(
  view: View,
  records: ReadonlyMap<Key, Seen<T>>,
): ReadonlyMap<Key, Seen<T>> {
  if (view.held() === 0) return records
  return new Map([...records].filter(([, { held }]) => held !== true))
}

function heldIn<Key>(records: ReadonlyMap<Key, Seen<unknown>>): ReadonlySet<Key> {
  return new Set([...records].filter(([, { held }]) => held === true).map(([key]) => key))
}

function publishedRecords(view: View, self: Host): PublishedRecords {
  const host = view.hosts().get(self.id)
  refuseCopy(self, host?.value)
  return {
    cluster: view.cluster(),
    host: host?.held === true ? undefined : host,
    endpoints: inStore(view, view.endpointsOf(self.id)),
    staticNames: inStore(view, view.staticNamesOf(self.id)),
    networks: inStore(view, view.networks()),
    held: heldIn(view.networks()),
    vnis: inStore(view, view.vnis()),
    foreign: view.foreign(),
  }
}

function refuseCopy(self: Host, found: Host | undefined): void {
  if (found === undefined || found.instance === self.instance) return
  if (found.address !== self.address) throw hostIdTaken(self.id, found.nickname, found.address)
}

function hostsOf(view: View): ReadonlyMap<HostId, Host> {
  return new Map([...view.hosts()].map(([id, { value }]) => [id, value]))
}

function ownRecords(
  { self, facts, routes, randomId, kept }: ClusterSources,
  { lease, clusterId }: { readonly lease: LeaseId; readonly clusterId: string },
): OwnRecords {
  const networks = [...facts.networks.values()]
  const endpoints = [...facts.endpoints.values()].filter(({ phase }) => phase !== 'left')
  const inUse = new Set([...endpoints.map(({ network }) => network), ...kept()])
  return {
    cluster: clusterId,
    epoch: randomId(),
    host: { ...self, routes: [...routes()] },
    lease,
    endpoints: endpoints.map((endpoint): Endpoint => {
      const { id, network, mac, addresses } = toLocalEndpoint(endpoint)
      const { naming } = endpoint
      return { id, network, host: self.id, mac, addresses, naming }
    }),
    staticNames: saidHere(facts, self.id),
    networks: networks
      .filter(
        ({ id, removed, published }) => removed !== true && (inUse.has(id) || published !== true),
      )
      .map(({ removed: _removed, published: _published, ...network }) => network),
    removed: networks.filter(({ removed }) => removed === true).map(({ id }) => id),
  }
}

/**
 * A revision that a connected view does not come to in time belongs to a history that the store has
 * lost: it counts anew, and waits for us to publish again.
 */
async function caughtUp(view: View, revision: Revision, signal: AbortSignal): Promise<void> {
  const isThere = await until(() => view.isReady() && view.revision() >= revision, {
    withinMs: catchUpMs,
    signal,
  })
  const mismatch = view.mismatch()
  if (mismatch !== undefined) throw new Error(mismatch)
  const isUpToDate = view.isReady() && view.connected()
  if (!isThere && !isUpToDate) throw new Error('the store has not been read up to now')
}
