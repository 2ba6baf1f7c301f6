/** One method of Docker's driver protocols: `POST /Interface.Method` with a JSON body, or none. */

import type { z } from 'zod'
import type { Route } from '../http/routes.ts'
import { badRequest } from '../model/faults.ts'

/** A method whose reply is always the same, and waits for nothing. */
export function answer(path: string, reply: unknown): Route {
  return { method: 'POST', path, handle: async () => reply }
}

/** @param method such as `NetworkDriver.Join` */
export function call<Schema extends z.ZodType>(
  method: string,
  schema: Schema,
  handle: (request: z.infer<Schema>, call: { readonly signal: AbortSignal }) => Promise<unknown>,
): Route {
  return {
    method: 'POST',
    path: `/${method}`,
    handle: async ({ body, signal }) => handle(read(schema, body), { signal }),
  }
}

function read<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  if (body === undefined) {
    throw badRequest('the body is empty, as when Docker repeats a call after a broken connection')
  }
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const field = issue?.path.join('.') ?? ''
  throw badRequest(`${field === '' ? 'the body' : field}: ${issue?.message ?? 'wrong'}`)
}
