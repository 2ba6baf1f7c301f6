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
 *   - A store that turns out to belong to another cluster changes nothing here any more.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Endpoint, Host, HostId, Network, NetworkId, Vni } from '../model/cluster.ts'
import { clusterMismatch } from '../model/faults.ts'
import { createRecords } from './records.ts'
import type { Records, Seen } from './records.ts'
import { clusterKey, decodeCluster, root } from './schema.ts'
import type { Change, Notice, Revision, Snapshot, Store } from './store.ts'

export type { Seen } from './records.ts'

export interface View {
  /** Resolves with the first complete picture; rejects when `signal` aborts before. */
  readonly ready: Promise<void>
  readonly isReady: () => boolean
  readonly cluster: () => string | undefined
  readonly hosts: () => ReadonlyMap<HostId, Seen<Host>>
  readonly networks: () => ReadonlyMap<NetworkId, Seen<Network>>
  readonly vnis: () => ReadonlyMap<Vni, Seen<NetworkId>>
  /** By store key. */
  readonly endpoints: () => ReadonlyMap<string, Seen<Endpoint>>
  readonly endpointsIn: (network: NetworkId) => Iterable<Seen<Endpoint>>
  /** By store key. */
  readonly endpointsOf: (host: HostId) => ReadonlyMap<string, Seen<Endpoint>>
  /** Keys that no schema explains, or whose text it does not. */
  readonly foreignKeys: () => readonly string[]
  /** How many records are held: gone from the store, but not removed by anybody. */
  readonly held: () => number
  /** Everything up to here is in the view. */
  readonly revision: () => Revision
  /** Grows with every change of the view: the same number means the same view. */
  readonly version: () => number
  readonly connected: () => boolean
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
  cluster: string | undefined
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
    for await (const notice of store.watch(root, options.signal)) {
      apply(notice, { records, state, options })
      if (notice.kind === 'reset' && state.mismatch === undefined) complete.happen()
      state.version += 1
      options.onChange()
    }
  }

  return {
    ready: complete.promise,
    isReady: complete.hasHappened,
    cluster: () => state.cluster,
    ...records.read,
    revision: () => state.revision,
    version: () => state.version,
    connected: () => state.connected,
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
  readonly options: ViewOptions
}

function apply(notice: Notice, applying: Applying): void {
  const { state } = applying
  switch (notice.kind) {
    case 'connected':
      state.connected = true
      state.outage = undefined
      return
    case 'disconnected':
      state.connected = false
      state.outage = notice.reason
      return
    case 'reset':
      return reset(notice.snapshot, applying)
    case 'changes':
      for (const change of notice.changes) applyChange(change, applying)
      state.revision = notice.revision
  }
}

function applyChange(change: Change, { records, state }: Applying): void {
  const key = change.kind === 'put' ? change.record.key : change.key
  if (key === clusterKey) learnCluster(change.kind === 'put' ? change.record.text : '', state)
  else if (state.mismatch !== undefined) return
  else if (change.kind === 'put') records.put(change.record)
  else records.delete(key)
}

function reset(snapshot: Snapshot, applying: Applying): void {
  const { records, state } = applying
  learnCluster(snapshot.records.find(({ key }) => key === clusterKey)?.text ?? '', state)
  if (state.mismatch !== undefined) return
  const present = new Set(snapshot.records.map(({ key }) => key))
  const lost = records.hold((key) => !present.has(key))
  for (const record of snapshot.records) {
    if (record.key !== clusterKey) records.put(record)
  }
  state.revision = snapshot.revision
  state.outage = undefined
  if (lost > 0) void releaseLater(applying)
}

/** Ends the hold of what nobody has published again. */
async function releaseLater({ records, state, options }: Applying): Promise<void> {
  const { holdMs, signal } = options
  await sleep(holdMs, undefined, { signal, ref: false }).catch(() => {})
  if (signal.aborted || records.release() === 0) return
  state.version += 1
  options.onChange()
}

/** A store without a cluster record is empty or has lost it; whoever publishes next writes it. */
function learnCluster(text: string, state: State): void {
  const found = decodeCluster(text)?.id
  const expected = state.expected ?? found
  if (found !== undefined && expected !== undefined && found !== expected) {
    state.mismatch = clusterMismatch(expected, found).message
    return
  }
  state.mismatch = undefined
  state.cluster = found
  state.expected = expected
}
