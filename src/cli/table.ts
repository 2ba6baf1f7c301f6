/**
 * Rows of text in aligned columns, two spaces apart, nothing after the last word of a line.
 */

/** Undefined when there are no rows: callers have something better to say then. */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string | undefined {
  if (rows.length === 0) return undefined
  return align([headings.map((heading) => heading.toUpperCase()), ...rows])
}

/** The same without headings, as for names and values. */
export function align(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}
