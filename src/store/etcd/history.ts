/**
 * Whether a store that answers again is still the one that was followed before.
 *
 * Revisions are numbers that every store counts from 1. One that was emptied, restored from an old
 * snapshot, or put behind the same address by somebody else may have passed ours meanwhile, and its
 * own cluster number is a digest of its configuration, the same after a fresh start. So a record is
 * remembered that can only be there if the history is: the one that was written last.
 */

import type { Revision } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { isOutOfHistory } from './errors.ts'
import { Event_EventType, KVService, RangeRequest } from './generated/rpc.ts'
import type { Event, KeyValue } from './generated/rpc.ts'
import type { Keys } from './keys.ts'
import type { EtcdSnapshot } from './list.ts'

export interface Position {
  /** Everything before has been delivered. */
  readonly next: Revision
  readonly etcdCluster: bigint
  /** What was written last of all that still stands; undefined when that has been deleted. */
  readonly landmark: Landmark | undefined
}

interface Landmark {
  readonly key: Buffer
  readonly revision: Revision
  readonly value: Buffer
}

export function positionAt(snapshot: EtcdSnapshot, keys: Keys): Position {
  const { records, revision, etcdCluster } = snapshot
  let last = records[0]
  for (const record of records) if (record.revision > (last?.revision ?? 0n)) last = record
  const landmark =
    last === undefined
      ? undefined
      : { key: keys.encode(last.key), revision: last.revision, value: Buffer.from(last.text) }
  return { next: revision + 1n, etcdCluster, landmark }
}

/** @param events whole transactions, in order. */
export function positionAfter(from: Position, events: readonly Event[]): Position {
  let { landmark, next } = from
  for (const { type, kv } of events) {
    if (kv === undefined) continue
    next = kv.modRevision + 1n
    if (type !== Event_EventType.DELETE) landmark = landmarkAt(kv)
    else if (landmark?.key.equals(kv.key) === true) landmark = undefined
  }
  return { ...from, next, landmark }
}

/** False when in doubt: reading everything again is always right. */
export async function isSameHistory(
  client: EtcdClient,
  { next, etcdCluster, landmark }: Position,
): Promise<boolean> {
  if (landmark === undefined) return false
  try {
    const request = RangeRequest.fromPartial({ key: landmark.key, revision: next - 1n })
    const { header, kvs } = await client.read(KVService.range, request)
    const [found] = kvs
    return (
      header?.clusterId === etcdCluster &&
      found?.modRevision === landmark.revision &&
      found.value.equals(landmark.value)
    )
  } catch (error) {
    if (isOutOfHistory(error)) return false
    throw error
  }
}

function landmarkAt({ key, modRevision, value }: KeyValue): Landmark {
  return { key, revision: modRevision, value }
}
