/** Lets calls about the same thing wait for each other, while others go ahead. */

export interface Turns {
  /** Runs `work` once everything taken for `key` before has ended, however it ended. */
  readonly take: <T>(key: string, work: () => Promise<T>) => Promise<T>
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>()
  return {
    async take(key, work) {
      const before = last.get(key) ?? Promise.resolve()
      const mine = before.then(work)
      const settled = mine.catch(() => {})
      last.set(key, settled)
      try {
        return await mine
      } finally {
        if (last.get(key) === settled) last.delete(key)
      }
    },
  }
}
