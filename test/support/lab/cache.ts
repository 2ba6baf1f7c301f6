/**
 * How is something made once and kept under build/?
 *
 * Under a name of its own while it is being made: what has its final name is whole. Two who make the
 * same at the same time do it twice, and the first one's stays.
 */

import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { cacheDirectory, exists } from './places.ts'

/**
 * The directory kept under this name.
 *
 * @param name changes whenever what it holds would.
 * @param make makes it inside an empty directory; returns where.
 */
export async function kept(
  name: string,
  make: (draft: string) => Promise<string>,
): Promise<string> {
  const place = path.join(cacheDirectory, name)
  if (await exists(place)) return place
  await mkdir(cacheDirectory, { recursive: true })
  const draft = await mkdtemp(path.join(cacheDirectory, 'making-'))
  try {
    await rename(await make(draft), place).catch(async (error: unknown) => {
      if (!(await exists(place))) throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return place
}
