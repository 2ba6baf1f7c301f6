/**
 * Which of the words that we know was probably meant.
 *
 * Two letters swapped count as one slip, as in most typing errors (restricted Damerau-Levenshtein).
 * A guess that is further off than a third of the word only confuses, so there is none then.
 */

/** The closest of `known`, or undefined when nothing is close. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const asked = word.toLowerCase()
  const ranked = known
    .map((one) => ({ one, slips: slipsBetween(asked, one.toLowerCase()) }))
    .toSorted((a, b) => a.slips - b.slips)
  const best = ranked[0]
  if (best !== undefined && best.slips <= allowedSlips(asked)) return best.one
  const begun = asked.length < 2 ? [] : known.filter((one) => begins(one, asked))
  return begun.length === 1 ? begun[0] : undefined
}

/** `warn` for `warning`, and `infos` for `info`. */
function begins(known: string, asked: string): boolean {
  return known.startsWith(asked) || asked.startsWith(known)
}

function allowedSlips(word: string): number {
  return Math.max(1, Math.floor((word.length + 1) / 3))
}

function slipsBetween(left: string, right: string): number {
  let older: number[] = []
  let last = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row += 1) {
    const next = [row]
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1] ? 0 : 1
      const swapped =
        left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
          ? cell(older, column - 2) + 1
          : Infinity
      next.push(
        Math.min(
          cell(last, column) + 1,
          cell(next, column - 1) + 1,
          cell(last, column - 1) + same,
          swapped,
        ),
      )
    }
    older = last
    last = next
  }
  return cell(last, right.length)
}

function cell(row: readonly number[], column: number): number {
  return row[column] ?? Infinity
}
