/**
 * The router's connection to the store, and what hangs on it: the view, and this host's lease.
 *
 * Nothing here waits for the store: a router that starts without it serves its containers from its
 * own disk, and the rest follows when the store comes back.
 */

import { askPeer } from '../control/peer.ts'
import type { Host } from '../model/cluster.ts'
import { portsOf } from '../settings/launch.ts'
import type { Paths } from '../settings/paths.ts'
import { createEtcdStore } from '../store/etcd.ts'
import { holdLease } from '../store/held-lease.ts'
import { superviseEtcd } from '../store/managed.ts'
import type { ManagedStore } from '../store/managed.ts'
import type { LeaseId, Store } from '../store/store.ts'
import { createView } from '../store/view.ts'
import type { View } from '../store/view.ts'
import { claimIdentity } from './cluster.ts'
import { managedEndpoint } from './join.ts'
import type { Logger } from './log.ts'
import type { Prepared } from './prepare.ts'

/** Long enough for a slow restart to go unnoticed; see docs/decisions/0003-leases.md. */
const leaseSeconds = 30
/** What a lost store's records are kept in the view for others to publish again. */
const holdMs = 60_000

export interface Connection extends AsyncDisposable {
  readonly store: Store
  readonly view: View
  readonly endpoints: readonly string[]
  /** Throws while there is none, with the reason. */
  readonly lease: () => LeaseId
  /** Gives up the lease: the other hosts forget this one at once. */
  readonly leave: () => Promise<void>
  /** Whether it is certain that nobody else has this host's identity. */
  readonly isClaimed: () => boolean
  /** Rejects when this host must not go on: its identity is somebody else's. */
  readonly claimed: Promise<void>
}

export interface ConnectionOptions {
  readonly prepared: Prepared
  readonly paths: Paths
  readonly self: Host
  readonly log: Logger
  readonly signal: AbortSignal
  readonly onChange: () => void
}

export async function connectStore(options: ConnectionOptions): Promise<Connection> {
  const { prepared, self, signal, onChange } = options
  const { kind, prefix } = prepared.membership.store
  const managed = kind === 'managed' ? await startManagedStore(options) : undefined
  const endpoints =
    kind === 'managed'
      ? [managedEndpoint(self.address, prepared.settings.port)]
      : prepared.membership.store.endpoints
  const store = createEtcdStore({ endpoints, prefix })
  const expectedCluster = prepared.membership.cluster
  const view = createView(store, { signal, holdMs, onChange, expectedCluster })
  const lease = holdLease(store, { ttlSeconds: leaseSeconds, signal, onChange })
  const patienceMs = (leaseSeconds + 10) * 1000
  const claim = { patienceMs, answers: answersAs, signal }
  const claimed = createClaim(claimIdentity(self, view, claim), onChange)
  return {
    store,
    view,
    endpoints,
    lease() {
      const current = lease.current()
      if (!claimed.isDone()) throw new Error('it is not yet certain that this identity is free')
      if (current === undefined) throw new Error('the store has not granted a lease yet')
      return current
    },
    leave: lease.giveUp,
    isClaimed: claimed.isDone,
    claimed: claimed.promise,
    async [Symbol.asyncDispose]() {
      await Promise.allSettled([view.done, lease.done])
      await store[Symbol.asyncDispose]()
      await managed?.done
    },
  }
}

async function answersAs(host: Host, signal: AbortSignal): Promise<boolean> {
  const { address, controlPort } = host
  const answer = await askPeer({ host: address, port: controlPort }, { signal })
  return answer.kind === 'answered' && answer.cluster.host === host.id
}

function createClaim(
  promise: Promise<void>,
  onDone: () => void,
): { readonly promise: Promise<void>; readonly isDone: () => boolean } {
  let done = false
  async function note(): Promise<void> {
    await promise
    done = true
    onDone()
  }
  const claim = note()
  // It may fail before anybody waits for it, which must not end the process there and then.
  claim.catch(() => undefined)
  return { promise: claim, isDone: () => done }
}

function startManagedStore({
  prepared,
  paths,
  self,
  signal,
  log,
}: ConnectionOptions): Promise<ManagedStore> {
  const ports = portsOf(prepared.settings.port)
  return superviseEtcd({
    dataDir: paths.storeDir,
    name: self.id,
    address: self.address,
    clientPort: ports.storeClient,
    peerPort: ports.storePeer,
    signal,
    onLine: (line) => log.debug({ etcd: line }, 'managed store'),
    onEnd: (reason) => log.error({ reason }, 'the managed store ended; starting it again'),
  })
}
