/**
 * The settings file: what the router was launched with, so that a plain restart resumes with it.
 *
 * Only the router writes it. A file that cannot be read is never guessed at: the caller learns what is
 * wrong in one line, puts the file aside and says so.
 */

import { z } from 'zod'
import { launchSettings } from './launch.ts'
import type { LaunchSettings } from './launch.ts'

export type StoredSettings =
  | { readonly kind: 'settings'; readonly settings: LaunchSettings }
  | { readonly kind: 'broken'; readonly problem: string }

/** Grows when an older router could misread the file. */
const formatVersion = 1

const storedFile = z.strictObject({
  version: z.literal(formatVersion),
  launch: launchSettings,
})

export function formatStoredSettings(settings: LaunchSettings): string {
  return `${JSON.stringify({ version: formatVersion, launch: settings }, null, 2)}\n`
}

export function parseStoredSettings(text: string): StoredSettings {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return { kind: 'broken', problem: 'not JSON' }
  }
  const parsed = storedFile.safeParse(json)
  if (parsed.success) return { kind: 'settings', settings: parsed.data.launch }
  const issue = parsed.error.issues[0]
  const where = issue?.path.join('.') ?? ''
  return {
    kind: 'broken',
    problem: `${where === '' ? 'file' : where}: ${issue?.message ?? 'not understood'}`,
  }
}
