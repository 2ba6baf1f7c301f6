/** A watch that runs in the background of a test and keeps what it was told. */

import type { Change, Notice, Store } from '../../src/store/store.ts'

export interface Watching extends AsyncDisposable {
  readonly notices: readonly Notice[]
  readonly count: (kind: Notice['kind']) => number
  readonly changes: () => readonly Change[]
  /** Key to text, as it follows from all notices. */
  readonly picture: () => ReadonlyMap<string, string>
}

export function watchInBackground(store: Store, prefix: string): Watching {
  const stop = new AbortController()
  const notices: Notice[] = []
  const picture = new Map<string, string>()

  async function follow(): Promise<void> {
    for await (const notice of store.watch(prefix, stop.signal)) {
      notices.push(notice)
      draw(picture, notice)
    }
  }

  const done = follow()
  return {
    notices,
    count: (kind) => notices.filter((notice) => notice.kind === kind).length,
    changes: () => notices.flatMap((notice) => (notice.kind === 'changes' ? notice.changes : [])),
    picture: () => picture,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await done
    },
  }
}

function draw(picture: Map<string, string>, notice: Notice): void {
  if (notice.kind === 'reset') {
    picture.clear()
    for (const { key, text } of notice.snapshot.records) picture.set(key, text)
  }
  if (notice.kind !== 'changes') return
  for (const change of notice.changes) {
    if (change.kind === 'put') picture.set(change.record.key, change.record.text)
    else picture.delete(change.key)
  }
}
