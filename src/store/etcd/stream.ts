/**
 * One watch stream: from a position until the connection breaks (throws) or the store says that the
 * history before that position is gone (ends).
 *
 * Back-pressure is gRPC's: while nobody takes the next step no message is read, and etcd keeps what
 * follows in its history, not in its memory.
 */

import type { ClientDuplexStream } from '@grpc/grpc-js'
import type { Change } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { isOutOfHistory } from './errors.ts'
import { Event_EventType, WatchRequest, WatchService } from './generated/rpc.ts'
import type { Event, WatchResponse } from './generated/rpc.ts'
import { positionAfter } from './history.ts'
import type { Position } from './history.ts'
import { endOf } from './keys.ts'
import type { Keys } from './keys.ts'

export interface Step {
  readonly position: Position
  readonly changes: readonly Change[]
}

export interface StreamOptions {
  readonly client: EtcdClient
  readonly keys: Keys
  readonly prefix: string
  readonly signal: AbortSignal
}

/** The first step has no changes: it says that the stream stands. */
export async function* streamChanges(
  { client, keys, prefix, signal }: StreamOptions,
  from: Position,
): AsyncGenerator<Step> {
  const stream = await client.open(WatchService.watch, signal)
  try {
    stream.write(watchFrom(from, keys.encode(prefix)))
    const patience = limitSilence(stream, client.timeoutMs)
    let position = from
    let pending: Event[] = []
    for await (const message of stream) {
      const reply: WatchResponse = message
      patience.end()
      if (isEnd(reply)) return
      if (reply.created) checkMember(reply, from)
      pending.push(...reply.events)
      if (reply.fragment) continue
      position = advance(position, reply, pending)
      yield { position, changes: pending.flatMap((event) => toChange(event, keys)) }
      pending = []
    }
    throw patience.hasEnded() ? new Error('the watch ended') : new Error('no answer to a watch')
  } catch (error) {
    if (isOutOfHistory(error)) return
    throw error
  } finally {
    stream.cancel()
  }
}

function watchFrom({ next }: Position, key: Buffer): WatchRequest {
  return WatchRequest.fromPartial({
    createRequest: {
      key,
      rangeEnd: endOf(key),
      startRevision: next,
      progressNotify: true,
      fragment: true,
    },
  })
}

/** A member that accepts a stream and then says nothing would otherwise be waited for for ever. */
function limitSilence(
  stream: ClientDuplexStream<WatchRequest, WatchResponse>,
  timeoutMs: number,
): { readonly end: () => void; readonly hasEnded: () => boolean } {
  let ended = false
  const late = setTimeout(() => stream.cancel(), timeoutMs)
  function end(): void {
    ended = true
    clearTimeout(late)
  }
  stream.once('close', () => clearTimeout(late))
  return { end, hasEnded: () => ended }
}

/** Without events a header is a promise: everything up to its revision has been delivered. */
function advance(from: Position, reply: WatchResponse, events: readonly Event[]): Position {
  if (events.length > 0) return positionAfter(from, events)
  const promised = reply.header?.revision ?? 0n
  return reply.created || promised < from.next ? from : { ...from, next: promised + 1n }
}

/** A compaction took the history away. Any other refusal is an error. */
function isEnd({ canceled, compactRevision, cancelReason }: WatchResponse): boolean {
  if (canceled && compactRevision === 0n) throw new Error(`watch refused: ${cancelReason}`)
  return canceled
}

/** A member that is behind would be silent until it has caught up, or for ever if it lost its data. */
function checkMember({ header }: WatchResponse, { next, etcdCluster }: Position): void {
  if (header === undefined) return
  if (header.clusterId !== etcdCluster) throw new Error('another etcd cluster answers')
  if (header.revision < next - 1n) throw new Error('the member is behind')
}

function toChange({ type, kv }: Event, keys: Keys): Change[] {
  if (kv === undefined) return []
  if (type !== Event_EventType.DELETE) return [{ kind: 'put', record: keys.record(kv) }]
  return [{ kind: 'delete', key: keys.decode(kv.key), revision: kv.modRevision }]
}
