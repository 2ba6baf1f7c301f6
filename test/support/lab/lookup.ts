/**
 * What does a container need to look names up with every kind of resolver?
 *
 *   nslookup   busybox's: asks the server itself, A and AAAA
 *   getent     glibc's getaddrinfo, as most programs use it
 *   resolve    musl's getaddrinfo: resolve.c, compiled here
 *   dig        bind's, for everything that can be told only by looking at the answer
 *
 * An image of its own, since only tests of names need a compiler.
 */

import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { kept } from './cache.ts'
import { ok, run } from './command.ts'
import type { Host } from './host.ts'
import { imagesKey, layOut } from './images.ts'

const source = path.join(import.meta.dirname, 'resolve.c')

/** Gives a host the image `lookup`. */
export async function addLookupImage(host: Host): Promise<void> {
  await copyFile(await imageFile(), host.path('/tmp/lookup.tar'))
  const words = ['--change', 'CMD ["sh"]', '/tmp/lookup.tar', 'lookup']
  await ok(host.docker('import', ...words))
}

async function imageFile(): Promise<string> {
  const code = await readFile(source)
  const { size, mtimeMs } = await stat(await ok(run(['sh', '-c', 'command -v dig'])))
  const parts = [await imagesKey(), code.toString(), size, mtimeMs]
  const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12)
  const directory = await kept(`lookup-${key}`, async (draft) => {
    const [root, made] = [path.join(draft, 'root'), path.join(draft, 'made')]
    await mkdir(root)
    await mkdir(made)
    const resolve = path.join(draft, 'resolve')
    await ok(run(['musl-gcc', '-static', '-Os', '-o', resolve, source]))
    await layOut({ name: 'lookup', programs: ['getent', 'dig', resolve], command: 'sh' }, root)
    await ok(run(['tar', '-C', root, '-cf', path.join(made, 'image.tar'), '.']))
    return made
  })
  return path.join(directory, 'image.tar')
}
