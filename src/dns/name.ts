/**
 * How is a domain name written as text, and read back byte for byte?
 *
 *   wire   3 w e b 5 w e a v e 5 l o c a l 0      text   web.weave.local
 *
 * Bytes are characters of the same number (latin1), so any label survives. The trap: a label may contain a
 * dot. Taken for a separator, `a\.b` of one network could be asked for as `a.b` of another. Such a dot is
 * written `\.`, and a backslash `\\`; no name of ours has either, so such a name is never ours.
 *
 * Only ASCII letters have two cases in DNS: compare with `foldCase`, never with `toLowerCase`, which
 * would take two different names with bytes above 127 for one.
 */

/** RFC 1035: lengths of a label without its length byte, and of a name with all of them. */
const labelBytes = 63
const nameBytes = 255

const escape = /\\([^])/g
const character = String.raw`(?:[^.\\\u0100-\uffff]|\\[\u0000-\u00ff])`
const labelText = new RegExp(`${character}+`, 'g')
const nameText = new RegExp(String.raw`^${character}+(?:\.${character}+)*$`)

/**
 * Reads the name at `at`; undefined if it is cut off, too long or has a compression pointer: in the first
 * name of a message a pointer could only lead into the head, or round in a circle.
 */
export function readName(bytes: Buffer, at: number): { name: string; end: number } | undefined {
  let name = ''
  let next = at
  for (;;) {
    const length = bytes[next]
    if (length === undefined || length > labelBytes) return undefined
    const end = next + 1 + length
    if (end - at > nameBytes) return undefined
    if (length === 0) return { name, end }
    if (end >= bytes.length) return undefined
    if (name !== '') name += '.'
    name += escaped(bytes.toString('latin1', next + 1, end))
    next = end
  }
}

/** Where the name at `at` ends, pointers not followed; undefined if it is cut off. */
export function skipName(bytes: Buffer, at: number): number | undefined {
  let next = at
  while (next - at < nameBytes) {
    const length = bytes[next]
    if (length === undefined) return undefined
    if (length >= 0xc0) return next + 2
    if (length > labelBytes) return undefined
    next += 1 + length
    if (length === 0) return next
  }
  return undefined
}

/** Inverse of `readName`, without compression; undefined if `text` is no name. */
export function encodeName(text: string): Buffer | undefined {
  if (text === '') return Buffer.of(0)
  if (text.length > 2 * nameBytes || !nameText.test(text)) return undefined
  const labels = (text.match(labelText) ?? []).map((label) =>
    Buffer.from(label.replaceAll(escape, '$1'), 'latin1'),
  )
  if (labels.some(({ length }) => length > labelBytes)) return undefined
  const parts = labels.flatMap((label) => [Buffer.of(label.length), label])
  const bytes = Buffer.concat([...parts, Buffer.of(0)])
  return bytes.length <= nameBytes ? bytes : undefined
}

/** Lower case as DNS knows it: ASCII letters only. */
export function foldCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function escaped(label: string): string {
  return /[.\\]/.test(label) ? label.replace(/[.\\]/g, String.raw`\$&`) : label
}
