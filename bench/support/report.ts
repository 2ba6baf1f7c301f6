/**
 * How do benchmarks say what they found, and how does it become one table and one JSON file?
 *
 * A benchmark returns sections; a section has rows; a row has figures in named columns and, where we
 * promise something, the promise and whether it was kept. The table is Markdown whose columns are
 * aligned, so that a terminal and a README both show it well.
 */

export interface Figure {
  readonly value: number
  /** The value as people read it, with its unit unless the row's name has it. */
  readonly text: string
  /** What it was worked out from. */
  readonly samples?: readonly number[]
}

export interface Verdict {
  /** Such as `≥ 0.90`. */
  readonly text: string
  readonly kept: boolean
}

export interface Row {
  readonly what: string
  /** By column. */
  readonly figures: Readonly<Record<string, Figure>>
  readonly promise?: Verdict
}

export interface Section {
  readonly title: string
  /** How it was measured, in a sentence. */
  readonly note: string
  readonly rows: readonly Row[]
}

export interface Report {
  readonly machine: string
  readonly date: string
  /** Processes that wanted a core in the minute before: others', and noise in every figure. */
  readonly loadBefore: number
  readonly sections: readonly Section[]
}

export function figure(
  value: number,
  { digits = 0, unit = '', samples }: FigureOptions = {},
): Figure {
  const text = `${format(value, digits)}${unit === '' ? '' : ` ${unit}`}`
  return { value, text, ...(samples === undefined ? {} : { samples }) }
}

interface FigureOptions {
  readonly digits?: number
  readonly unit?: string
  readonly samples?: readonly number[]
}

export function atLeast(value: number, limit: number): Verdict {
  return { text: `≥ ${limit}`, kept: value >= limit }
}

export function atMost(value: number, { limit, unit = '' }: AtMost): Verdict {
  return { text: `≤ ${limit}${unit === '' ? '' : ` ${unit}`}`, kept: value <= limit }
}

interface AtMost {
  readonly limit: number
  readonly unit?: string
}

export function renderReport({ machine, date, loadBefore, sections }: Report): string {
  const head = `Measured on ${machine}, ${date}, load average before: ${format(loadBefore, 1)}.`
  return [head, ...sections.map(renderSection)].join('\n\n')
}

export function renderSection({ title, note, rows }: Section): string {
  const columns = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))]
  const promised = rows.some(({ promise }) => promise !== undefined)
  const table = [
    [title, ...columns, ...(promised ? ['promise'] : [])],
    ...rows.map(({ what, figures, promise }) => [
      what,
      ...columns.map((column) => figures[column]?.text ?? ''),
      ...(promised ? [renderVerdict(promise)] : []),
    ]),
  ]
  return `${renderTable(table)}\n\n${note}`
}

function renderVerdict(verdict: Verdict | undefined): string {
  return verdict === undefined ? '' : `${verdict.text} ${verdict.kept ? '✓' : '✗'}`
}

/** The first column is text, the others are numbers: to the right. */
function renderTable(lines: readonly (readonly string[])[]): string {
  const [head = []] = lines
  const widths = head.map((_, at) => Math.max(3, ...lines.map((line) => line[at]?.length ?? 0)))
  const rule = widths.map((width, at) =>
    at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  )
  const padded = lines.map((line) =>
    line.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    ),
  )
  const [first = [], ...rest] = padded
  return [first, rule, ...rest].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function format(value: number, digits: number): string {
  if (!Number.isFinite(value)) return '–'
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
}
