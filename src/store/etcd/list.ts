/** Everything under a prefix at one revision, in pages: one reply with all of it could be too large. */

import type { Revision, Snapshot, StoreRecord } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { isOutOfHistory } from './errors.ts'
import { KVService, RangeRequest } from './generated/rpc.ts'
import type { RangeResponse } from './generated/rpc.ts'
import { endOf } from './keys.ts'
import type { Keys } from './keys.ts'

export interface EtcdSnapshot extends Snapshot {
  /** etcd's own number for the cluster that answered: another one holds other data. */
  readonly etcdCluster: bigint
}

const pageSize = 1000n
/** A compaction between two pages takes the revision away that we read at. */
const attempts = 3

export async function listRecords(
  client: EtcdClient,
  keys: Keys,
  prefix: string,
): Promise<EtcdSnapshot> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await listOnce(client, keys, prefix)
    } catch (error) {
      if (attempt === attempts || !isOutOfHistory(error)) throw error
    }
  }
}

async function listOnce(client: EtcdClient, keys: Keys, prefix: string): Promise<EtcdSnapshot> {
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
