/**
 * A typed, always complete mirror of everything under `/weave/v1/`.
 *
 * Before the first `reset` nothing is known, and nobody may act as if it were: a partial view deletes
 * things. A later `reset` may lack records because the store lost them, not because anybody removed
 * them. Those are *held* for a while, so that their owners can publish them again before anybody's
 * tables change.
 *
 * Invariants
 *   - Records that no schema explains are named and left alone; they never end the program.
 *   - A store that turns out to belong to another cluster changes nothing here; when it is ours again,
 *     everything is read anew, since what happened meanwhile was not looked at.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Endpoint, Host, HostId, Network, NetworkId, Vni } from '../model/cluster.ts'
import type { Definition, DefinitionId } from '../model/definition.ts'
import { clusterMismatch } from '../model/faults.ts'
import { createRecords } from './records.ts'
import type { Hold, Records, Seen } from './records.ts'
import { clusterKey, decodeCluster, root } from './schema.ts'
import type { Cluster } from './schema.ts'
import type { Change, Notice, Revision, Snapshot, Store } from './store.ts'

export type { Seen } from './records.ts'

export interface View {
  /** Resolves with the first complete picture; rejects when `signal` aborts before. */
  readonly ready: Promise<void>
  readonly isReady: () => boolean
  /** What the store says now; undefined while it says nothing. */
  readonly cluster: () => string | undefined
  /**
   * The life of the store's data; another one after it was lost. Undefined while the store says
   * nothing, and until somebody publishes to a store that has lost everything.
   */
  readonly epoch: () => string | undefined
  /** The cluster that this host belongs to: what it knew before, or else what the store said first. */
  readonly home: () => string | undefined
  readonly hosts: () => ReadonlyMap<HostId, Seen<Host>>
  readonly networks: () => ReadonlyMap<NetworkId, Seen<Network>>
  readonly vnis: () => ReadonlyMap<Vni, Seen<NetworkId>>
  readonly definitions: () => ReadonlyMap<DefinitionId, Seen<Definition>>
  /** By store key. */
  readonly endpoints: () => ReadonlyMap<string, Seen<Endpoint>>
  readonly endpointsIn: (network: NetworkId) => Iterable<Seen<Endpoint>>
  /** By store key. */
  readonly endpointsOf: (host: HostId) => ReadonlyMap<string, Seen<Endpoint>>
  readonly endpointsNamed: Records['read']['endpointsNamed']
  readonly endpointsAt: Records['read']['endpointsAt']
  /** By store key. */
  readonly staticNames: Records['read']['staticNames']
  readonly staticNamesOf: Records['read']['staticNamesOf']
  readonly staticNamed: Records['read']['staticNamed']
  readonly staticAt: Records['read']['staticAt']
  readonly pools: Records['read']['pools']
  /** By store key, as are the next two. */
  readonly holders: Records['read']['holders']
  readonly blocks: Records['read']['blocks']
  readonly singles: Records['read']['singles']
  /** Keys that no schema explains, or whose text it does not. */
  readonly foreignKeys: () => readonly string[]
  /** The same, with the revision of what stands there: whoever owns such a key writes it again. */
  readonly foreign: () => ReadonlyMap<string, Revision>
  /** How many records are held: gone from the store, but not removed by anybody. */
  readonly held: () => number
  /** Everything up to here is in the view. */
  readonly revision: () => Revision
  /** Grows with every change of the view: the same number means the same view. */
  readonly version: () => number
  readonly connected: () => boolean
  /**
   * Set while the store says that it belongs to another cluster. The view stands still meanwhile, and
   * nothing of this host may be written there.
   */
  readonly mismatch: () => string | undefined
  /** Why the view may be behind: a mismatch, or the connection. */
  readonly problem: () => string | undefined
  /** Resolves once the view has ended after its signal. */
  readonly done: Promise<void>
}

export interface ViewOptions {
  readonly signal: AbortSignal
  readonly onChange: () => void
  readonly holdMs: number
  /** The cluster that this host belongs to, if it knows. */
  readonly expectedCluster?: string | undefined
}

interface State {
  revision: Revision
  version: number
  connected: boolean
  /** What the store says now; undefined when it lost it. */
  cluster: Cluster | undefined
  /** What it said first, or this host knew before: it never changes again. */
  expected: string | undefined
  /** Why the store is not read any more: it is another cluster's. */
  mismatch: string | undefined
  outage: string | undefined
}

export function createView(store: Store, options: ViewOptions): View {
  const records = createRecords()
  const state: State = {
    revision: 0n,
    version: 0,
    connected: false,
    cluster: undefined,
    expected: options.expectedCluster,
    mismatch: undefined,
    outage: undefined,
  }
  const complete = createEvent(options.signal)

  async function follow(): Promise<void> {
    const { signal, onChange } = options
    while (!signal.aborted) {
      for await (const notice of store.watch(root, signal)) {
        const isBehind = apply(notice, { records, state, release }) === 'behind'
        if (notice.kind === 'reset' && state.mismatch === undefined) complete.happen()
        state.version += 1
        onChange()
        if (isBehind) break
      }
    }
  }

  /** Ends a hold, unless its records have come back by then. */
  async function release(hold: Hold): Promise<void> {
    const { signal, holdMs, onChange } = options
    await sleep(holdMs, undefined, { signal, ref: false }).catch(() => {})
    if (signal.aborted) return
    records.release(hold)
    state.version += 1
    onChange()
  }

  return {
    ready: complete.promise,
    isReady: complete.hasHappened,
    cluster: () => state.cluster?.id,
    // Stores of before there were epochs have one and the same, until they lose their data.
    epoch: () => (state.cluster === undefined ? undefined : (state.cluster.epoch ?? '')),
    home: () => state.expected,
    ...records.read,
    revision: () => state.revision,
    version: () => state.version,
    connected: () => state.connected,
    mismatch: () => state.mismatch,
    problem: () => state.mismatch ?? state.outage,
    done: follow(),
  }
}

/** Something that happens once, to be waited for; waiting is over when `signal` aborts, too. */
function createEvent(signal: AbortSignal): {
  readonly promise: Promise<void>
  readonly happen: () => void
  readonly hasHappened: () => boolean
} {
  const event = new AbortController()
  const promise = new Promise<void>((resolve, reject) => {
    event.signal.addEventListener('abort', () => resolve(), { once: true })
    signal.addEventListener('abort', () => reject(new Error('the view has ended')), { once: true })
  })
  promise.catch(() => {})
  return { promise, happen: () => event.abort(), hasHappened: () => event.signal.aborted }
}

interface Applying {
  readonly records: Records
  readonly state: State
  readonly release: (hold: Hold) => Promise<void>
}

/** `behind` means that changes were missed: start again from a `reset`. */
function apply(notice: Notice, applying: Applying): 'applied' | 'behind' {
  const { state } = applying
  switch (notice.kind) {
    case 'connected':
      state.connected = true
      state.outage = undefined
      return 'applied'
    case 'disconnected':
      state.connected = false
      state.outage = notice.reason
      return 'applied'
    case 'reset':
      applyReset(notice.snapshot, applying)
      return 'applied'
    case 'changes':
      return applyChanges(notice.changes, notice.revision, applying)
  }
}

function applyReset({ records, revision }: Snapshot, applying: Applying): void {
  const { state } = applying
  const found = records.find(({ key }) => key === clusterKey)
  if (!accepts(found?.text, state)) return
  state.cluster = clusterIn(found?.text)
  state.revision = revision
  const rest = records.filter((record) => record !== found || state.cluster === undefined)
  holdFor(applying, applying.records.reset(rest))
}

function applyChanges(
  changes: readonly Change[],
  revision: Revision,
  applying: Applying,
): 'applied' | 'behind' {
  const { state } = applying
  const wasForeign = state.mismatch !== undefined
  const told = changes.flatMap((change) =>
    change.kind === 'put' && change.record.key === clusterKey ? [change.record.text] : [],
  )
  const isOurs = told.every((text) => accepts(text, state))
  if (wasForeign) return told.length > 0 && isOurs ? 'behind' : 'applied'
  if (!isOurs) return 'applied'
  for (const change of changes) applyChange(change, applying)
  state.revision = revision
  return 'applied'
}

function applyChange(change: Change, applying: Applying): void {
  const { records, state } = applying
  const key = change.kind === 'put' ? change.record.key : change.key
  if (key === clusterKey) {
    state.cluster = change.kind === 'put' ? clusterIn(change.record.text) : undefined
  }
  const isReadCluster = key === clusterKey && state.cluster !== undefined
  if (change.kind === 'delete' || isReadCluster) records.delete(key)
  else holdFor(applying, records.put(change.record))
}

function holdFor({ release }: Applying, hold: Hold): void {
  if (hold.size > 0) void release(hold)
}

/**
 * Compares the store's cluster with ours and notes the result; what it says first becomes ours. A store
 * without a cluster record is empty or has lost it: whoever publishes next writes it. One whose record
 * cannot be read is what it was before.
 */
function accepts(text: string | undefined, state: State): boolean {
  const found = clusterIn(text)?.id
  if (text !== undefined && found === undefined) return state.mismatch === undefined
  const isOurs = found === undefined || state.expected === undefined || found === state.expected
  state.mismatch = isOurs ? undefined : clusterMismatch(state.expected ?? '', found).message
  if (isOurs) state.expected ??= found
  return isOurs
}

function clusterIn(text: string | undefined): Cluster | undefined {
  return text === undefined ? undefined : decodeCluster(text)
}
