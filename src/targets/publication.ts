/** Joins the plan for publication with the store: see `store/publication.ts` for what and why. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { NetworkId } from '../model/cluster.ts'
import { oneByOne } from '../reconcile/reconcile.ts'
import type { Target } from '../reconcile/reconcile.ts'
import { planPublication } from '../store/publication.ts'
import type { OwnRecords, PublicationStep, PublishedRecords } from '../store/publication.ts'
import type { Revision, Store } from '../store/store.ts'

export interface PublicationSources {
  readonly store: Store
  /** Throws while there is no lease to publish under. */
  readonly own: () => Promise<OwnRecords>
  /**
   * What the store holds, no older than `revision`: our own last write must be visible, or it would
   * be planned again. Throws while the store's content is not known.
   */
  readonly published: (revision: Revision, signal: AbortSignal) => Promise<PublishedRecords>
  /** The records of a removed network are gone. */
  readonly onGone: (id: NetworkId) => Promise<void>
}

const staleMs = 30

export function publicationTarget({
  store,
  own,
  published,
  onGone,
}: PublicationSources): Target<OwnRecords, PublishedRecords, PublicationStep> {
  let written: Revision = 0n
  return {
    name: 'publication',
    desired: own,
    observe: (signal) => published(written, signal),
    plan: planPublication,
    apply: oneByOne(async ({ writes, forget }, signal) => {
      if (forget !== undefined) return onGone(forget)
      const outcome = await store.commit(writes)
      if (outcome.kind === 'written') written = outcome.revision
      // Somebody else wrote first: no failure, but their news must have time to come.
      else await sleep(staleMs, undefined, { signal }).catch(() => {})
    }),
  }
}
