/**
 * What the engine has written down about a container: read from its own disk while it starts the
 * container and therefore answers nothing about it.
 *
 * The file is the engine's private affair, but has been what it is since Docker 1.9, and all we take from
 * it is what the engine itself says a moment later. One that cannot be understood is no file.
 */

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { ContainerDetails } from './container-details.ts'
import { writtenDetails } from './container-details.ts'
import { hostRoots } from './sandbox.ts'

/** @param engineDir where the engine keeps everything: `/var/lib/docker`. */
export async function readContainerFile(
  engineDir: string,
  id: string,
): Promise<ContainerDetails | undefined> {
  for (const root of hostRoots) {
    const found = await readDetails(path.join(root, engineDir, 'containers', id, 'config.v2.json'))
    if (found?.id === id) return found
  }
  return undefined
}

async function readDetails(file: string): Promise<ContainerDetails | undefined> {
  try {
    const parsed = writtenDetails.safeParse(JSON.parse(await readFile(file, 'utf8')))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}
