/**
 * Where does the lab keep its files? All under build/, which git ignores and `rm -rf` may have.
 */

import { access } from 'node:fs/promises'
import path from 'node:path'

export const repository = path.resolve(import.meta.dirname, '../../..')

/** Made once, kept: images, root file systems. */
export const cacheDirectory = path.join(repository, 'build/lab/cache')

/** One directory per running lab. */
export const labsDirectory = path.join(repository, 'build/lab/running')

/** Where `script/install --prefix` puts what the lab's hosts run. */
export const productPrefix = path.join(repository, 'build/prefix')

export async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  )
}
