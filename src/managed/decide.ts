/**
 * Decides how a node of a swarm comes to its cluster: joins it, founds it, or waits.
 *
 *   in no swarm ─────────────────────────────────────────▶ wait
 *   the note says that this node founds ─────────────────▶ found
 *   somebody answers ────────────────────────────────────▶ join
 *   nobody does, and this node is
 *     a worker ──────────────────────────────────────────▶ wait
 *     a manager, and the note says
 *       nothing ─────────────────────────────────────────▶ claim (and look again)
 *       that a node founds which the swarm has removed ──▶ retract (and look again)
 *       that another node founds ────────────────────────▶ wait
 *
 * A founder that lost its disk founds again, though others answer: the store that they would send it to
 * is its own. They fill it anew.
 *
 * The trap is that all nodes start at once, and nobody answers anybody: silence must not be taken for
 * "there is no cluster". So only the node that the note names founds, and the swarm's own consensus
 * lets one node write it. There are never two clusters, at the price that a dead founder is waited for.
 *
 * Pure.
 */

import type { Fault } from '../model/fault.ts'
import { clustersDiffer, founderAway, noPeerInSwarm, notInSwarm } from '../model/faults.ts'
import { foundingName } from '../router/founding.ts'
import type { Founding } from '../router/founding.ts'

export interface Asked {
  /** host:port */
  readonly peer: string
  /** Its cluster, or why it told none. */
  readonly answer: { readonly cluster: string } | { readonly problem: string }
}

export interface Situation {
  /** The engine's state in the swarm; empty when it does not answer. */
  readonly state: string
  readonly isManager: boolean
  /** Every node that is known, asked just now; this one left out. */
  readonly asked: readonly Asked[]
  /** Managers only. */
  readonly note?: Note | undefined
}

export interface Note {
  readonly id: string
  readonly founding: Founding
  readonly isOwn: boolean
  /** The swarm still counts the founder as a node of its own. */
  readonly isMember: boolean
}

export type Next =
  | { readonly kind: 'join'; readonly peers: readonly string[] }
  | { readonly kind: 'claim' }
  | { readonly kind: 'found'; readonly cluster: string }
  | { readonly kind: 'retract'; readonly note: Note }
  | { readonly kind: 'wait'; readonly fault: Fault }

export function decide(situation: Situation): Next {
  const { state, isManager, asked, note } = situation
  if (state !== 'active') return { kind: 'wait', fault: notInSwarm(state) }
  if (note?.isOwn === true) return { kind: 'found', cluster: note.founding.cluster }
  const answered = asked.flatMap(({ peer, answer }) =>
    'cluster' in answer ? [{ peer, cluster: answer.cluster }] : [],
  )
  const right = answered.filter(({ cluster }) => cluster === (note?.founding.cluster ?? cluster))
  if (new Set(right.map(({ cluster }) => cluster)).size > 1) {
    const found = right.map(({ peer, cluster }) => `${peer}: ${cluster}`)
    return { kind: 'wait', fault: clustersDiffer(found) }
  }
  if (right.length > 0) return { kind: 'join', peers: right.map(({ peer }) => peer) }
  if (!isManager) return { kind: 'wait', fault: noPeerInSwarm(problems(asked)) }
  if (note === undefined) return { kind: 'claim' }
  if (!note.isMember) return { kind: 'retract', note }
  return { kind: 'wait', fault: founderAway(note.founding.founder, foundingName) }
}

function problems(asked: readonly Asked[]): readonly string[] {
  if (asked.length === 0) return ['no other node is known']
  return asked.map(({ peer, answer }) => `${peer} ${'problem' in answer ? answer.problem : ''}`)
}
