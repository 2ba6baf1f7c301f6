/** Which of the engine's containers or networks does somebody mean? As Docker itself reads it. */

import { nearest } from '../../settings/nearest.ts'

interface Thing {
  readonly id: string
  readonly name: string
}

/** By ID, else by name, else by the beginning of the ID; several when that does not tell them apart. */
export function meantBy<T extends Thing>(text: string, all: readonly T[]): readonly T[] {
  const ways = [
    all.filter(({ id }) => id === text),
    all.filter(({ name }) => name === text),
    all.filter(({ id }) => text !== '' && id.startsWith(text)),
  ]
  return ways.find((found) => found.length > 0) ?? []
}

/** For what is none of them: the nearest, or the command that lists them. */
export function hint(text: string, all: readonly Thing[], list: string): string {
  const near = nearest(
    text,
    all.map(({ name }) => name),
  )
  return near === undefined ? `See "${list}".` : `Did you mean ${JSON.stringify(near)}?`
}

/** For what is several of them. */
export function tellApart(found: readonly Thing[]): string {
  const texts = found.map(({ id, name }) => `${id.slice(0, 24)} (${name})`)
  return `Give the whole ID of one: ${texts.join(', ')}.`
}
