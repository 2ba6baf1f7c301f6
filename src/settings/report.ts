/**
 * What `weave router` tells whoever started it, one JSON line each.
 *
 *   stdout of --prepare   {"prepared":{…}}       flags checked, peers asked, settings stored
 *   stdout of --reset     {"reset":{"removed":{…}}}
 *   stderr, fault file    {"fault":{…}}          why it ended
 *
 * Other lines (logs, warnings of Node) may stand around them, so readers look for the line they know.
 */

import { z } from 'zod'
import { Fault } from '../model/fault.ts'

const prepared = z.object({
  /** Absent when only the running router will know. */
  cluster: z.enum(['founded', 'joined', 'resumed']).optional(),
  /** Nickname of the host that let us in. */
  via: z.string().optional(),
  /** What the user should know though it went well: peers passed over and why, and so on. */
  warnings: z.array(z.string()).default([]),
})

const faultBody = z.object({
  code: z.string(),
  message: z.string(),
  remedy: z.string(),
  exit: z.number().int().min(1).max(255).optional(),
})

const preparedLine = z.object({ prepared })
const faultLine = z.object({ fault: faultBody })
const resetLine = z.object({ reset: z.object({ removed: z.record(z.string(), z.number()) }) })

export type Prepared = z.infer<typeof prepared>
export type Removed = Readonly<Record<string, number>>

/** For a Fault whose code this version does not know: EX_UNAVAILABLE of sysexits.h. */
const unknownExit = 69

export function formatPrepared(report: Partial<Prepared>): string {
  return JSON.stringify({ prepared: report })
}

export function formatReset(removed: Removed): string {
  return JSON.stringify({ reset: { removed } })
}

export function formatFault({ code, message, remedy, exit }: Fault): string {
  return JSON.stringify({ fault: { code, message, remedy, exit } })
}

export function parsePrepared(text: string): Prepared | undefined {
  return lastLine(text, preparedLine)?.prepared
}

export function parseReset(text: string): Removed | undefined {
  return lastLine(text, resetLine)?.reset.removed
}

/** The last fault in the text; undefined when there is none. */
export function parseFault(text: string): Fault | undefined {
  const body = lastLine(text, faultLine)?.fault
  if (body === undefined) return undefined
  const { code, message, remedy, exit = unknownExit } = body
  return new Fault(code, exit, { summary: message, remedy })
}

function lastLine<T>(text: string, shape: z.ZodType<T>): T | undefined {
  for (const line of text.split('\n').toReversed()) {
    const parsed = line.startsWith('{') ? shape.safeParse(readJson(line)) : undefined
    if (parsed?.success === true) return parsed.data
  }
  return undefined
}

function readJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
