/**
 * Follows everything under a prefix without losing or repeating a change, for as long as wanted.
 *
 *   list ──▶ reset ──▶ stream from revision + 1 ──▶ changes …
 *    ▲                       │ broken: again from the last change + 1
 *    └───────────────────────┘ compacted, other data, or a revision that went backwards
 *
 * The traps: the revision in a reply's header is the store's, not that of the events in it, so a stream
 * resumed from there skips what was still to come; and one transaction can be cut into fragments.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Change, Notice, Revision } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { isCompacted, reasonOf, toFault } from './errors.ts'
import { Event_EventType, WatchRequest, WatchService } from './generated/rpc.ts'
import type { Event, WatchResponse } from './generated/rpc.ts'
import { endOf } from './keys.ts'
import type { Keys } from './keys.ts'
import { listRecords } from './list.ts'

export interface WatchOptions {
  readonly client: EtcdClient
  readonly keys: Keys
  readonly prefix: string
  readonly signal: AbortSignal
}

/** Where the stream stands: everything before `next` has been delivered. */
interface Position {
  readonly next: Revision
  readonly etcdCluster: bigint
}

const firstPauseMs = 100
const maxPauseMs = 2000

export async function* watchRecords(options: WatchOptions): AsyncGenerator<Notice> {
  const { signal } = options
  let position: Position | undefined
  let pauseMs = firstPauseMs
  let connected = false
  while (!signal.aborted) {
    try {
      if (position === undefined) {
        const snapshot = await listRecords(options.client, options.keys, options.prefix)
        position = { next: snapshot.revision + 1n, etcdCluster: snapshot.etcdCluster }
        yield { kind: 'reset', snapshot }
      }
      for await (const step of follow(options, position)) {
        pauseMs = firstPauseMs
        if (!connected) yield { kind: 'connected' }
        connected = true
        position = step.position
        if (step.changes.length > 0) {
          yield { kind: 'changes', changes: step.changes, revision: position.next - 1n }
        }
      }
      position = undefined
    } catch (error) {
      if (signal.aborted) return
      const cause = toFault(error, options.client.endpoints)
      yield {
        kind: 'disconnected',
        reason: cause instanceof Error ? cause.message : reasonOf(error),
      }
      connected = false
      await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal }).catch(() => {})
      pauseMs = Math.min(pauseMs * 2, maxPauseMs)
    }
  }
}

interface Step {
  readonly position: Position
  readonly changes: readonly Change[]
}

/** Ends when the history is gone or the data is another's; throws when the connection breaks. */
async function* follow(
  { client, keys, prefix, signal }: WatchOptions,
  from: Position,
): AsyncGenerator<Step> {
  const stream = await client.open(WatchService.watch, signal)
  try {
    const key = keys.encode(prefix)
    const createRequest = {
      key,
      rangeEnd: endOf(key),
      startRevision: from.next,
      progressNotify: true,
      fragment: true,
    }
    stream.write(WatchRequest.fromPartial({ createRequest }))
    let position = from
    let pending: Event[] = []
    for await (const message of stream) {
      const reply: WatchResponse = message
      if (isOtherData(reply, position) || isCompaction(reply)) return
      pending.push(...reply.events)
      if (reply.fragment) continue
      position = advance(position, reply, pending)
      yield { position, changes: pending.flatMap((event) => toChange(event, keys)) }
      pending = []
    }
    throw new Error('the watch ended')
  } catch (error) {
    if (isCompacted(error)) return
    throw error
  } finally {
    stream.cancel()
  }
}

/** Without events a header is a promise: everything up to its revision has been delivered. */
function advance(from: Position, reply: WatchResponse, events: readonly Event[]): Position {
  const last = events.at(-1)?.kv?.modRevision ?? reply.header?.revision ?? 0n
  return reply.created || last < from.next ? from : { ...from, next: last + 1n }
}

function isCompaction({ canceled, compactRevision, cancelReason }: WatchResponse): boolean {
  if (canceled && compactRevision === 0n)
    throw new Error(`the watch was cancelled: ${cancelReason}`)
  return canceled
}

function isOtherData({ header, created }: WatchResponse, { next, etcdCluster }: Position): boolean {
  if (header === undefined) return false
  const wentBack = created && header.revision < next - 1n
  return wentBack || (header.clusterId !== 0n && header.clusterId !== etcdCluster)
}

function toChange({ type, kv }: Event, keys: Keys): Change[] {
  if (kv === undefined) return []
  if (type !== Event_EventType.DELETE) return [{ kind: 'put', record: keys.record(kv) }]
  return [{ kind: 'delete', key: keys.decode(kv.key), revision: kv.modRevision }]
}
