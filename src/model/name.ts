/**
 * Names of containers: which texts can be one, and what a host says of its containers' names.
 *
 * Kept in lower case and without the last dot, since case does not count (RFC 4343). They come from
 * other programs (Docker, other hosts); what does not fit a DNS packet is left out and is no error,
 * for a container with an odd name still gets its network.
 */

/** What one endpoint is called in its network. */
export interface Naming {
  /** The container's ID, its first 12 hex digits, as Docker shows it. */
  readonly container: string
  /** What Docker calls the network: `NAME.NETWORK` is a name, too. */
  readonly network: string
  /** The first one answers the question who has an address. */
  readonly names: readonly string[]
}

/** RFC 1035, section 2.3.4, as text without the last dot. */
const maxNameLength = 253
/** What Docker accepts in names and aliases, so underscores too; 63 is RFC 1035's. */
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/
/** Ours: far more than anybody has, and a record stays small. */
export const maxNames = 64

/** The form in which names are kept and compared; undefined for what can be no name. */
export function readName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, '')
  return isName(name) ? name : undefined
}

export function isName(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= maxNameLength &&
    value.split('.').every((part) => label.test(part))
  )
}

export function isNaming(value: unknown): value is Naming {
  if (typeof value !== 'object' || value === null) return false
  if (!('container' in value && 'network' in value && 'names' in value)) return false
  const { container, network, names } = value
  return (
    typeof container === 'string' &&
    typeof network === 'string' &&
    Array.isArray(names) &&
    names.length <= maxNames &&
    names.every(isName)
  )
}
