/**
 * How each of our programs was started, one small file each, so that a later command can end it.
 *
 * A record says what was done, never that it still runs: after a crash or reboot its keeper is asked.
 * Without record there was no launch (or a reset); a record that cannot be read counts as none, since
 * the next start replaces it.
 */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { runModes } from '../../settings/flags.ts'
import type { Paths } from '../../settings/paths.ts'
import type { Handle } from './keeper.ts'

export interface StartRecord extends Handle {
  /** Plugins only: the socket that it serves. */
  readonly socket?: string | undefined
}

const retired = '.retired'

const recordText = z.strictObject({
  service: z.string().regex(/^(?:router|plugin-[A-Za-z0-9][A-Za-z0-9_.-]*)$/),
  runAs: z.enum(runModes),
  target: z.string().min(1),
  socket: z.string().optional(),
})

export async function writeRecord({ startedDir }: Paths, record: StartRecord): Promise<void> {
  await mkdir(startedDir, { recursive: true, mode: 0o700 })
  const file = path.join(startedDir, `${record.service}.json`)
  const draft = `${file}.${process.pid}.tmp`
  await writeFile(draft, `${JSON.stringify(record)}\n`, { mode: 0o600 })
  await rename(draft, file)
}

export async function readRecord(
  { startedDir }: Paths,
  service: string,
): Promise<StartRecord | undefined> {
  const text = await readFile(path.join(startedDir, `${service}.json`), 'utf8').catch(() => '')
  return parseRecord(text)
}

/** Sorted, so that the router comes last and may be ended last. */
export async function readRecords({ startedDir }: Paths): Promise<readonly StartRecord[]> {
  return readFiles(startedDir, '.json')
}

/** Of what was stopped for good. Its program is gone; units and images may not be. */
export async function readRetired({ startedDir }: Paths): Promise<readonly StartRecord[]> {
  return readFiles(startedDir, retired)
}

export async function removeRecord({ startedDir }: Paths, service: string): Promise<void> {
  await rm(path.join(startedDir, `${service}.json`), { force: true })
}

/** Nothing finds the program by it any more, but a reset still learns what to take away. */
export async function retireRecord({ startedDir }: Paths, service: string): Promise<void> {
  const file = path.join(startedDir, service)
  // Without a record there is nothing to retire.
  await rename(`${file}.json`, `${file}${retired}`).catch(() => undefined)
}

async function readFiles(startedDir: string, suffix: string): Promise<readonly StartRecord[]> {
  const names = (await readdir(startedDir).catch(() => [])).filter((name) => name.endsWith(suffix))
  const texts = names.toSorted().map((name) => readFile(path.join(startedDir, name), 'utf8'))
  const records = (await Promise.all(texts)).map(parseRecord)
  return records.filter((record) => record !== undefined)
}

function parseRecord(text: string): StartRecord | undefined {
  try {
    return recordText.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
