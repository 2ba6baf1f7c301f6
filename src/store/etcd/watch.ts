/**
 * Follows everything under a prefix without losing or repeating a change, for as long as wanted.
 *
 *   list ──▶ reset ──▶ stream from revision + 1 ──▶ changes …
 *    ▲                       │ broken
 *    │ no                    ▼
 *    └──── still the same history? ── yes ──▶ stream from the last change + 1
 *
 * The traps: the revision in a reply's header is the store's, not that of the events in it, so a
 * stream resumed from there skips what was still to come; one transaction can be cut into fragments;
 * and a store that lost its data accepts a resumption from a revision that it has yet to reach.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Notice } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { reasonOf, toFault } from './errors.ts'
import { isSameHistory, positionAt } from './history.ts'
import type { Position } from './history.ts'
import { listRecords } from './list.ts'
import { streamChanges } from './stream.ts'
import type { StreamOptions } from './stream.ts'

const firstPauseMs = 100
const maxPauseMs = 2000

export async function* watchRecords(options: StreamOptions): AsyncGenerator<Notice> {
  const { client, keys, prefix, signal } = options
  let position: Position | undefined
  let pauseMs = firstPauseMs
  let connected: boolean | undefined
  while (!signal.aborted) {
    try {
      if (position === undefined || !(await isSameHistory(client, position))) {
        const snapshot = await listRecords(client, keys, prefix)
        position = positionAt(snapshot, keys)
        yield { kind: 'reset', snapshot }
      }
      for await (const step of streamChanges(options, position)) {
        pauseMs = firstPauseMs
        position = step.position
        if (connected !== true) yield { kind: 'connected' }
        connected = true
        const { changes } = step
        if (changes.length > 0) yield { kind: 'changes', changes, revision: position.next - 1n }
      }
      // The history that was to be resumed is gone: again from a list, but not in a hurry.
      position = undefined
    } catch (error) {
      if (signal.aborted) return
      if (connected !== false) yield { kind: 'disconnected', reason: explain(error, client) }
      connected = false
    }
    await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal }).catch(() => {})
    pauseMs = Math.min(pauseMs * 2, maxPauseMs)
  }
}

function explain(error: unknown, { endpoints }: EtcdClient): string {
  const fault = toFault(error, endpoints)
  return fault instanceof Error ? fault.message : reasonOf(fault)
}
