/**
 * Follows the engine's events across its restarts, without missing one and without repeating one.
 *
 * After a break the engine is asked for everything since the last event we saw. It includes that
 * one, and every other of the same nanosecond, so those are remembered and skipped.
 *
 * The trap is `timeNano`: it is beyond what a JavaScript number holds exactly, so it is taken from
 * the text of the line and kept as a bigint.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { AnswerStream } from '../http/client.ts'

export interface EngineEvent {
  readonly type: string
  readonly action: string
  readonly id: string
  readonly attributes: Readonly<Record<string, string>>
}

export interface FollowOptions {
  readonly signal: AbortSignal
  readonly filters: Readonly<Record<string, readonly string[]>>
  /** Told at each time that the engine answers after it did not. */
  readonly onOpen?: (() => void) | undefined
  readonly open: (path: string) => Promise<AnswerStream>
}

const firstBackoffMs = 100
const lastBackoffMs = 2000
const nanosPerSecond = 1_000_000_000n

const message = z
  .object({
    Type: z.string(),
    Action: z.string(),
    Actor: z.object({
      ID: z.string(),
      Attributes: z.record(z.string(), z.string()).nullish(),
    }),
  })
  .transform(({ Type, Action, Actor }): EngineEvent => ({
    type: Type,
    action: Action,
    id: Actor.ID,
    attributes: Actor.Attributes ?? {},
  }))

export async function* followEvents(options: FollowOptions): AsyncGenerator<EngineEvent> {
  const { signal } = options
  const seen = createMemory(BigInt(Date.now()) * 1_000_000n)
  let backoffMs = firstBackoffMs
  while (!signal.aborted) {
    try {
      for await (const line of readLines(options, seen.since())) {
        backoffMs = firstBackoffMs
        if (seen.isNew(line)) yield* parseEvent(line)
      }
    } catch {
      // The engine is away; that is what the next attempt is for.
    }
    await sleep(backoffMs, undefined, { signal }).catch(() => {})
    backoffMs = Math.min(backoffMs * 2, lastBackoffMs)
  }
}

async function* readLines(
  { filters, open, onOpen }: FollowOptions,
  since: string,
): AsyncGenerator<string> {
  const query = new URLSearchParams({ since, filters: JSON.stringify(filters) })
  const { status, chunks } = await open(`/events?${query.toString()}`)
  if (status === 200) onOpen?.()
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    if (status !== 200) continue
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines.filter((line) => line !== '')
  }
}

interface Memory {
  /** In the engine's own form: seconds, a dot, nine digits. */
  readonly since: () => string
  readonly isNew: (line: string) => boolean
}

function createMemory(startNanos: bigint): Memory {
  let nanos = startNanos
  let lines = new Set<string>()
  return {
    since() {
      return `${nanos / nanosPerSecond}.${String(nanos % nanosPerSecond).padStart(9, '0')}`
    },
    isNew(line) {
      const at = BigInt(/"timeNano":\s*(\d{1,19})/.exec(line)?.[1] ?? nanos)
      if (at < nanos || lines.has(line)) return false
      if (at > nanos) lines = new Set()
      nanos = at
      lines.add(line)
      return true
    },
  }
}

function parseEvent(line: string): readonly EngineEvent[] {
  try {
    const parsed = message.safeParse(JSON.parse(line))
    return parsed.success ? [parsed.data] : []
  } catch {
    return []
  }
}
