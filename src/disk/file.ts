/**
 * Files that must survive a power cut: written aside, flushed, and renamed into place.
 *
 * A reader sees the old text or the new one, never half of either. A file that cannot be understood
 * is never guessed at and never deleted: it is moved into a folder where somebody can look at it.
 */

import { mkdir, open, readFile, rename, rm, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import path from 'node:path'

/** What a file must survive: the end of a process, or the end of the power as well. */
export type Survives = 'crash' | 'power-cut'

/** Only root can read the file; its folder is made likewise if it is missing. */
export async function writeDurably(
  file: string,
  text: string,
  survives: Survives = 'power-cut',
): Promise<void> {
  const folder = path.dirname(file)
  const draft = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
  try {
    const handle = await openNew(draft)
    try {
      await handle.writeFile(text)
      if (survives === 'power-cut') await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (error) {
    // What went wrong first is what somebody must know.
    await rm(draft, { force: true }).catch(() => {})
    throw error
  }
  if (survives === 'power-cut') await flushFolder(folder)
}

/** A missing file is no error. */
export async function removeDurably(file: string, survives: Survives = 'power-cut'): Promise<void> {
  await unlink(file).catch(ignoreMissing)
  if (survives === 'crash') return
  await flushFolder(path.dirname(file)).catch(ignoreMissing)
}

/** Undefined when there is no such file. */
export async function readIfPresent(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(ignoreMissing)
}

/** Moves a file that nobody understands into `asideFolder`; returns where it went. */
export async function setAside(file: string, asideFolder: string): Promise<string> {
  await mkdir(asideFolder, { recursive: true, mode: 0o700 })
  const stamp = new Date().toISOString().replaceAll(':', '-')
  const kept = path.join(asideFolder, `${path.basename(file)}.${stamp}`)
  await rename(file, kept)
  return kept
}

/** Makes the folder only when it is missing: that is once, and files are written by the thousand. */
async function openNew(file: string): Promise<FileHandle> {
  const mode = 0o600
  try {
    return await open(file, 'w', mode)
  } catch (error) {
    ignoreMissing(error)
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    return await open(file, 'w', mode)
  }
}

/** A rename is on the disk only once its folder is. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
