/** Checks a message against its schema, and says what is wrong in one line that names the field. */

import type { z } from 'zod'
import { badRequest } from '../model/faults.ts'

const shownCharacters = 80

/** @throws Fault BAD_REQUEST that names the first wrong fields and their values. */
export function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw badRequest(describeProblems(result.error.issues, value))
}

export function describeProblems(issues: readonly z.core.$ZodIssue[], value: unknown): string {
  if (value === undefined) return 'the body is empty'
  return issues
    .slice(0, 3)
    .map(({ path, message }) => {
      const found = valueAt(value, path)
      const where = path.length === 0 ? 'the body' : path.join('.')
      return found === undefined ? `${where}: ${message}` : `${where}: ${message}: ${show(found)}`
    })
    .join('; ')
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = Reflect.get(found, key)
  }
  return found
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
}
