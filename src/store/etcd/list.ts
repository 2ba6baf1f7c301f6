/** Everything under a prefix at one revision, in pages: one reply with all of it could be too large. */

import type { Revision, Snapshot, StoreRecord } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { KVService, RangeRequest } from './generated/rpc.ts'
import type { RangeResponse } from './generated/rpc.ts'
import { endOf } from './keys.ts'
import type { Keys } from './keys.ts'

export interface EtcdSnapshot extends Snapshot {
  /** etcd's own number for the cluster that answered: another one holds other data. */
  readonly etcdCluster: bigint
}

const pageSize = 1000n

export async function listRecords(
  client: EtcdClient,
  keys: Keys,
  prefix: string,
): Promise<EtcdSnapshot> {
  const start = keys.encode(prefix)
  const rangeEnd = endOf(start)
  const records: StoreRecord[] = []
  let key = start
  let revision: Revision = 0n
  for (;;) {
    const page: RangeResponse = await client.read(
      KVService.range,
      RangeRequest.fromPartial({ key, rangeEnd, limit: pageSize, revision }),
    )
    for (const kv of page.kvs) records.push(keys.record(kv))
    if (revision === 0n) revision = page.header?.revision ?? 0n
    const last = page.kvs.at(-1)
    if (!page.more || last === undefined) {
      return { records, revision, etcdCluster: page.header?.clusterId ?? 0n }
    }
    key = Buffer.concat([last.key, Buffer.from([0])])
  }
}
