/** The result for a key, the very same object again as long as the key is the same. */
export function remember<Args extends readonly unknown[], T>(
  make: (...args: Args) => T,
): (key: string, ...args: Args) => T {
  let last: { readonly key: string; readonly value: T } | undefined
  return (key, ...args) => {
    if (last?.key !== key) last = { key, value: make(...args) }
    return last.value
  }
}

/** The result for each argument that has been asked for. */
export function rememberEach<Key, T>(make: (key: Key) => T): (key: Key) => T {
  const made = new Map<Key, T>()
  return (key) => {
    const before = made.get(key)
    if (before !== undefined) return before
    const value = make(key)
    made.set(key, value)
    return value
  }
}
