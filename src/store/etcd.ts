/** The store on etcd v3: `Store` put together from the calls of `etcd/`. */

import { Fault } from '../model/fault.ts'
import { createEtcdClient } from './etcd/client.ts'
import type { EtcdClient } from './etcd/client.ts'
import {
  Compare_Result,
  Compare_Target,
  KVService,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  LeaseService,
  MaintenanceService,
  RangeRequest,
  StatusRequest,
  TxnRequest,
} from './etcd/generated/rpc.ts'
import type { Compare, RequestOp } from './etcd/generated/rpc.ts'
import { createKeys } from './etcd/keys.ts'
import type { Keys } from './etcd/keys.ts'
import { keepLease } from './etcd/lease.ts'
import { listRecords } from './etcd/list.ts'
import { watchRecords } from './etcd/watch.ts'
import type { Store, Write, WriteOutcome } from './store.ts'
import { checkWrites } from './writes.ts'

export interface EtcdOptions {
  /** `host:port` each. */
  readonly endpoints: readonly string[]
  /** Put before every key: empty, or `/prefix`. */
  readonly prefix: string
  /** Of each call. */
  readonly timeoutMs?: number
}

export function createEtcdStore({ endpoints, prefix, timeoutMs }: EtcdOptions): Store {
  const client = createEtcdClient({ endpoints, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  const keys = createKeys(prefix)
  return {
    async read(key) {
      const request = RangeRequest.fromPartial({ key: keys.encode(key) })
      const { kvs } = await client.read(KVService.range, request)
      const [kv] = kvs
      return kv === undefined ? undefined : keys.record(kv)
    },
    list: (under) => listRecords(client, keys, under),
    watch: (under, signal) => watchRecords({ client, keys, prefix: under, signal }),
    commit: (writes) => commit(client, keys, writes),
    async grantLease(ttlSeconds) {
      const request = LeaseGrantRequest.fromPartial({ TTL: BigInt(ttlSeconds) })
      return (await client.write(LeaseService.leaseGrant, request)).ID
    },
    keepLease: (lease, signal) => keepLease(client, lease, signal),
    async revokeLease(lease) {
      const request = LeaseRevokeRequest.fromPartial({ ID: lease })
      await client.write(LeaseService.leaseRevoke, request).catch(ignoreGone)
    },
    async health() {
      try {
        await client.read(MaintenanceService.status, StatusRequest.fromPartial({}))
        return { endpoints }
      } catch (error) {
        return { endpoints, problem: error instanceof Error ? error.message : String(error) }
      }
    },
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
    },
  }
}

async function commit(
  client: EtcdClient,
  keys: Keys,
  writes: readonly Write[],
): Promise<WriteOutcome> {
  checkWrites(writes)
  const request = TxnRequest.fromPartial({
    compare: writes.flatMap((write) => comparison(write, keys)),
    success: writes.map((write) => operation(write, keys)),
  })
  const { header, succeeded } = await client.write(KVService.txn, request)
  return succeeded ? { kind: 'written', revision: header?.revision ?? 0n } : { kind: 'stale' }
}

/** A record that does not exist has modification revision 0. */
function comparison({ key, expected }: Write, keys: Keys): Compare[] {
  if (expected === undefined) return []
  const modified = { result: Compare_Result.EQUAL, target: Compare_Target.MOD }
  return [{ ...modified, key: keys.encode(key), modRevision: expected }]
}

function operation(write: Write, keys: Keys): RequestOp {
  const key = keys.encode(write.key)
  if (write.kind === 'delete') return { requestDeleteRange: { key } }
  return { requestPut: { key, value: Buffer.from(write.text), lease: write.lease ?? 0n } }
}

function ignoreGone(error: unknown): void {
  if (!(error instanceof Fault && error.code === 'STORE_LEASE_GONE')) throw error
}
