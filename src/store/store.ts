/**
 * The control plane as the rest of the program sees it: a small, ordered, watchable map of texts.
 *
 * Two implementations satisfy `store.contract.ts`: `etcd.ts` for real clusters and `memory.ts`
 * for tests. Keys and what their texts mean are known to `schema.ts` alone.
 *
 * Every call has a deadline of its own and throws `STORE_UNREACHABLE` when it passes.
 */

/** Counts every change to the whole store. Bigger is later; gaps are normal. */
export type Revision = bigint
/** 0n: no lease, the record stays until deleted. */
export type LeaseId = bigint

export interface StoreRecord {
  readonly key: string
  readonly text: string
  /** When this record was last written. */
  readonly revision: Revision
  /** The lease that it vanishes with. */
  readonly lease: LeaseId
}

/** Everything under a prefix as it stood at one revision. */
export interface Snapshot {
  readonly records: readonly StoreRecord[]
  readonly revision: Revision
}

export type Change =
  | { readonly kind: 'put'; readonly record: StoreRecord }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: Revision }

export type Notice =
  /** What happened, in order; never half a transaction. */
  | { readonly kind: 'changes'; readonly changes: readonly Change[]; readonly revision: Revision }
  /** History was compacted or the data replaced under us. Forget what you know; start from this. */
  | { readonly kind: 'reset'; readonly snapshot: Snapshot }
  /** The connection broke or came back. What was known stays the best guess meanwhile. */
  | { readonly kind: 'disconnected'; readonly reason: string }
  | { readonly kind: 'connected' }

export type Write =
  | {
      readonly kind: 'put'
      readonly key: string
      readonly text: string
      readonly lease?: LeaseId
      /** Write only if the record is still at this revision; 0n: only if it does not exist. */
      readonly expected?: Revision
    }
  | { readonly kind: 'delete'; readonly key: string; readonly expected?: Revision }

/** `stale` means somebody else wrote first, nothing was written: read again and decide again. */
export type WriteOutcome =
  | { readonly kind: 'written'; readonly revision: Revision }
  | { readonly kind: 'stale' }

export interface StoreHealth {
  readonly endpoints: readonly string[]
  /** Undefined while the store answers. */
  readonly problem?: string
}

export interface Store extends AsyncDisposable {
  read(key: string): Promise<StoreRecord | undefined>
  list(prefix: string): Promise<Snapshot>

  /**
   * First a `reset` with everything under `prefix`, then each change in order, without gaps or
   * repetition, until `signal` aborts. Reconnects by itself, for ever.
   */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<Notice>

  /** All writes or none. At most 100 at a time (etcd: --max-txn-ops 128). */
  commit(writes: readonly Write[]): Promise<WriteOutcome>

  /** @param ttlSeconds whole seconds, at least 5. */
  grantLease(ttlSeconds: number): Promise<LeaseId>
  /**
   * Renews a lease until `signal` aborts (resolves) or the store says that it has expired or never
   * existed (`expired`). Survives lost connections as long as the lease does.
   */
  keepLease(lease: LeaseId, signal: AbortSignal): Promise<'aborted' | 'expired'>
  /** Removes the lease and every record under it; an unknown lease is no error. */
  revokeLease(lease: LeaseId): Promise<void>

  /** Asks the store itself, within a few seconds; never throws. */
  health(): Promise<StoreHealth>
}
