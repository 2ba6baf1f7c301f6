/**
 * A folder of small records, one JSON file each, held in memory and written through to the disk.
 *
 * What `set` has returned is on the disk (or, where only a crash is to be survived, on its way there). Memory is the index, the disk is the truth at the next
 * start; files are named after the record's ID, which must be a safe file name (see model guards).
 */

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { readIfPresent, removeDurably, setAside, writeDurably } from './file.ts'
import type { Survives } from './file.ts'

export interface Shelf<Id extends string, T> {
  readonly all: ReadonlyMap<Id, T>
  readonly set: (id: Id, value: T) => Promise<void>
  /** An unknown ID is no error. */
  readonly delete: (id: Id) => Promise<void>
}

export interface ShelfOptions<Id extends string, T> {
  readonly folder: string
  readonly asideFolder: string
  readonly isId: (value: unknown) => value is Id
  readonly isValue: (value: unknown) => value is T
  readonly survives: Survives
  /** Told once for each file that was set aside, with where it is now. */
  readonly onSetAside: (problem: string) => void
}

const ending = '.json'

export async function openShelf<Id extends string, T>(
  options: ShelfOptions<Id, T>,
): Promise<Shelf<Id, T>> {
  const all = new Map<Id, T>()
  for (const name of await listFiles(options.folder)) {
    const file = path.join(options.folder, name)
    const id = name.slice(0, -ending.length)
    const text = await readIfPresent(file)
    const value = parse(text)
    if (name.endsWith(ending) && options.isId(id) && options.isValue(value)) all.set(id, value)
    // A draft, or what a power cut leaves of a file that need not survive one.
    else if (name.endsWith('.tmp') || text === '') await removeDurably(file)
    else
      options.onSetAside(
        `${file} was not understood; moved to ${await setAside(file, options.asideFolder)}`,
      )
  }
  function fileOf(id: Id): string {
    return path.join(options.folder, id + ending)
  }
  return {
    all,
    async set(id, value) {
      await writeDurably(fileOf(id), `${JSON.stringify(value)}\n`, options.survives)
      all.set(id, value)
    },
    async delete(id) {
      all.delete(id)
      await removeDurably(fileOf(id), options.survives)
    },
  }
}

async function listFiles(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
