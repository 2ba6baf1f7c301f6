/**
 * Where do images come from when no registry can be reached?
 *
 * From this computer's own programs, copied together with the libraries they need:
 *
 *   busybox   busybox-static, a link for each of its commands (ping, wget, httpd, nc, nslookup, …)
 *   ubuntu    the same and bash: a stand-in, so that the commands users type work word for word
 *   tools     the same and iperf3, node
 *   lookup    for tests of names; not in every lab: see lookup.ts
 *
 * They are imported once per engine; a host's first disk starts as a copy of that engine's directory.
 */

import { createHash } from 'node:crypto'
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ok, run } from './command.ts'

export interface Image {
  readonly name: string
  /** Programs of this computer that it holds besides busybox. */
  readonly programs: readonly string[]
  /** What `docker run IMAGE` runs. */
  readonly command: string
}

export const images: readonly Image[] = [
  { name: 'busybox', programs: [], command: 'sh' },
  { name: 'ubuntu', programs: ['bash'], command: 'bash' },
  { name: 'tools', programs: ['iperf3', process.execPath], command: 'sh' },
]

/** Changes whenever the images would. */
export async function imagesKey(): Promise<string> {
  const paths = await Promise.all(['busybox', 'bash', 'iperf3', process.execPath].map(locate))
  const stats = await ok(run(['stat', '-L', '-c', '%n %s %Y', ...paths]))
  const text = JSON.stringify(images) + stats + process.version
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

/** Lays out an image's root file system in `directory`. */
export async function layOut(image: Image, directory: string): Promise<void> {
  const folders = ['bin', 'etc', 'tmp', 'root', 'dev', 'proc', 'sys', 'var/www']
  await Promise.all(folders.map((name) => mkdir(path.join(directory, name), { recursive: true })))
  await copyFile(await locate('busybox'), path.join(directory, 'bin/busybox'))
  const applets = (await ok(run(['busybox', '--list']))).split('\n')
  await Promise.all(
    applets
      .filter((applet) => applet !== 'busybox' && !image.programs.includes(applet))
      .map((applet) => symlink('busybox', path.join(directory, 'bin', applet))),
  )
  await writeFile(path.join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  await writeFile(path.join(directory, 'etc/group'), 'root:x:0:\n')
  for (const program of image.programs) await copyProgram(program, directory)
}

async function copyProgram(program: string, directory: string): Promise<void> {
  const source = await locate(program)
  await copyFile(source, path.join(directory, 'bin', path.basename(program)))
  for (const library of await librariesOf(source)) {
    await mkdir(path.join(directory, path.dirname(library)), { recursive: true })
    await copyFile(library, path.join(directory, library))
  }
}

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run(['ldd', program])
  return [...stdout.matchAll(/(?:^|\s)(?<file>\/\S+)/gm)].map(
    ({ groups }) => groups?.['file'] ?? '',
  )
}

async function locate(program: string): Promise<string> {
  if (path.isAbsolute(program)) return program
  return await ok(run(['sh', '-c', `command -v ${program}`]))
}
