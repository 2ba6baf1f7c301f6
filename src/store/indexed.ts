/**
 * A map whose values can also be found by what they say.
 *
 * An index is told of each change, so ten thousand values that change one at a time cost a few map
 * operations each. A value that is replaced by one that says otherwise leaves its old groups.
 */

export interface IndexedMap<T> {
  readonly all: ReadonlyMap<string, T>
  readonly set: (key: string, value: T) => void
  readonly delete: (key: string) => void
}

export interface Index<Group, T> {
  readonly of: (group: Group) => ReadonlyMap<string, T>
  readonly add: (key: string, value: T) => void
  readonly remove: (key: string, value: T) => void
}

/** @param groupsOf under what a value is found: nothing, one thing or several. */
export function createIndex<Group, T>(groupsOf: (value: T) => readonly Group[]): Index<Group, T> {
  const none: ReadonlyMap<string, T> = new Map()
  const groups = new Map<Group, Map<string, T>>()
  return {
    of: (group) => groups.get(group) ?? none,
    add(key, value) {
      for (const group of groupsOf(value)) {
        const members = groups.get(group)
        if (members === undefined) groups.set(group, new Map([[key, value]]))
        else members.set(key, value)
      }
    },
    remove(key, value) {
      for (const group of groupsOf(value)) {
        const members = groups.get(group)
        members?.delete(key)
        if (members?.size === 0) groups.delete(group)
      }
    },
  }
}

export function createIndexedMap<T>(
  indexes: readonly Pick<Index<unknown, T>, 'add' | 'remove'>[],
): IndexedMap<T> {
  const all = new Map<string, T>()
  function forget(key: string): void {
    const before = all.get(key)
    if (before === undefined) return
    all.delete(key)
    for (const index of indexes) index.remove(key, before)
  }
  return {
    all,
    set(key, value) {
      forget(key)
      all.set(key, value)
      for (const index of indexes) index.add(key, value)
    },
    delete: forget,
  }
}
