/**
 * How faults travel: a Fault becomes an HTTP status and `{code, message, remedy}`, and back again.
 *
 * The kind of a fault (its exit status, sysexits.h) picks the HTTP status, so that a caller that
 * only looks at numbers still sees who is to blame. Whatever is not a fault is a bug: its text goes
 * to the caller as INTERNAL, its stack only to the log.
 */

import { RequestError } from '../http/request-error.ts'
import type { Reply } from '../http/server.ts'
import { Fault } from '../model/fault.ts'
import { badRequest, internalError, unknownCall, unknownVersion } from '../model/faults.ts'
import { errorReply } from './messages.ts'

/** Segment with which every path of this API begins. */
const apiVersion = 'v1'

/** sysexits.h to HTTP; what is not listed is 500. */
const statusOfExit = new Map([
  [64, 422],
  [65, 400],
  [69, 503],
  [75, 504],
  [77, 403],
])
const exitOfStatus = new Map([...statusOfExit].map(([exit, status]) => [status, exit]))
const softwareExit = 70

export function renderFault(
  error: unknown,
  request: { readonly method: string; readonly path: string },
): Reply {
  const fault = faultOf(error, request)
  const body = { code: fault.code, message: fault.message, remedy: fault.remedy }
  const status = error instanceof RequestError ? error.status : statusOfExit.get(fault.exit)
  return { status: status ?? 500, body }
}

/** The fault that another router sent; undefined when the text is none of ours. */
export function parseFault(status: number, text: string): Fault | undefined {
  const reply = errorReply.safeParse(parseJson(text))
  if (!reply.success) return undefined
  const { code, message, remedy } = reply.data
  return new Fault(code, exitOfStatus.get(status) ?? softwareExit, { summary: message, remedy })
}

/** Undefined when it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function faultOf(
  error: unknown,
  { method, path }: { readonly method: string; readonly path: string },
): Fault {
  if (error instanceof Fault) return error
  if (!(error instanceof RequestError)) {
    return internalError(error instanceof Error ? error.message : String(error)).causedBy(error)
  }
  if (error.status !== 404 && error.status !== 405) return badRequest(error.message)
  const version = /^\/(v\d[^/]*)\//.exec(path)?.[1] ?? apiVersion
  return version === apiVersion ? unknownCall(method, path) : unknownVersion(version, apiVersion)
}
