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
