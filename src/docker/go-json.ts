/**
 * Schemas that read JSON the way Go's encoding/json does, because Docker's own plugins do.
 *
 *   keys      match whatever their case; an exact match wins
 *   null      leaves the empty value: "", {} or []
 *   missing   the same
 *   unknown   keys are ignored
 *
 * A value of the wrong type is refused there and here.
 */

import { z } from 'zod'

export const goText = z
  .string()
  .nullish()
  .transform((text) => text ?? '')

export const goFlag = z
  .boolean()
  .nullish()
  .transform((flag) => flag ?? false)

/** A Go struct. */
export function goObject<Shape extends z.ZodRawShape>(
  shape: Shape,
): z.ZodType<z.infer<z.ZodObject<Shape>>> {
  const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]))
  return z.preprocess((value) => renameKeys(value, names), z.object(shape))
}

export function goList<Item extends z.ZodType>(item: Item): z.ZodType<z.infer<Item>[]> {
  return z.preprocess((value) => value ?? [], z.array(item))
}

/** A Go map whose values may be anything. */
export const goMap: z.ZodType<Record<string, unknown>> = z.preprocess(
  (value) => value ?? {},
  z.record(z.string(), z.unknown()),
)

function renameKeys(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (value === null || value === undefined) return {}
  if (typeof value !== 'object' || Array.isArray(value)) return value
  const entries = Object.entries(value)
  const exact = new Set(names.values())
  return Object.fromEntries([
    ...entries.flatMap(([key, one]) => {
      const name = names.get(key.toLowerCase())
      return name === undefined ? [] : [[name, one] as const]
    }),
    ...entries.filter(([key]) => exact.has(key)),
  ])
}
