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

/** For many small groups, most of one value: a chain of values instead of a map for each group. */
export interface Chains<T> {
  readonly of: (group: string) => Iterable<T>
  readonly add: (key: string, value: T) => void
  readonly remove: (key: string, value: T) => void
}

interface Link<T> {
  readonly key: string
  readonly value: T
  readonly next: Link<T> | undefined
}

/** @param groupsOf as for `createIndex`. */
export function createChains<T>(groupsOf: (value: T) => readonly string[]): Chains<T> {
  const chains = new Map<string, Link<T>>()
  return {
    *of(group) {
      for (let link = chains.get(group); link !== undefined; link = link.next) yield link.value
    },
    add(key, value) {
      for (const group of groupsOf(value)) {
        chains.set(group, { key, value, next: chains.get(group) })
      }
    },
    remove(key, value) {
      for (const group of groupsOf(value)) {
        const rest = without(chains.get(group), key)
        if (rest === undefined) chains.delete(group)
        else chains.set(group, rest)
      }
    },
  }
}

function without<T>(chain: Link<T> | undefined, key: string): Link<T> | undefined {
  let rest: Link<T> | undefined
  for (let link = chain; link !== undefined; link = link.next) {
    if (link.key !== key) rest = { key: link.key, value: link.value, next: rest }
  }
  return rest
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
