/**
 * Docker's sandboxes: where is the network namespace of a container, and whose is it?
 *
 * The trap is time. Docker names the file before it exists (engines up to 27 make it after Join), and
 * before it is a namespace it is an empty file for a moment. And the engine answers nothing about a
 * container that it is starting; but its first process exists already, in a control group that is named
 * after the container.
 */

import { readFile, readdir, stat, statfs } from 'node:fs/promises'

/**
 * The engine's files as this process sees them, and as the host's first process does: we may be in a
 * container, which has a view of its own.
 */
export const hostRoots = ['', '/proc/1/root']
/** A link to the other nearly everywhere, which leads to our own root when it is followed from here. */
const runLink = /^\/var\/run\//
/** linux/magic.h, NSFS_MAGIC. */
const namespaceFiles = 0x6e_73_66_73

export interface SandboxFile {
  readonly file: string
  /** Of the namespace: no other that exists at the same time has it. */
  readonly inode: bigint
}

/** The namespace that Docker calls `sandbox`; undefined as long as there is none. */
export async function findSandbox(sandbox: string): Promise<SandboxFile | undefined> {
  const real = sandbox.replace(runLink, '/run/')
  const files = hostRoots.flatMap((root) => [`${root}${real}`, `${root}${sandbox}`])
  for (const file of new Set(files)) {
    const inode = (await isNamespace(file)) ? await inodeOf(file) : undefined
    if (inode !== undefined) return { file, inode }
  }
  return undefined
}

/**
 * @param namespace its inode.
 * @returns the whole ID of the container whose processes are in it; undefined while there are none.
 * For one that has just come to be: later a container may use the namespace of another, and the
 * engine says whose it is.
 */
export async function ownerOf(namespace: bigint, proc = '/proc'): Promise<string | undefined> {
  for (const pid of await newestFirst(proc)) {
    if ((await inodeOf(`${proc}/${pid}/ns/net`)) !== namespace) continue
    // The engine's own helpers are there for a moment, too, in a group of no container.
    const owner = containerIn(await readGroups(`${proc}/${pid}/cgroup`))
    if (owner !== undefined) return owner
  }
  return undefined
}

async function isNamespace(file: string): Promise<boolean> {
  try {
    return (await statfs(file)).type === namespaceFiles
  } catch {
    return false
  }
}

/** Processes that have just been made come first, as long as the numbers do not wrap around. */
async function newestFirst(proc: string): Promise<readonly number[]> {
  const pids = (await readdir(proc)).map(Number).filter(Number.isInteger)
  return pids.toSorted((one, other) => other - one)
}

async function inodeOf(file: string): Promise<bigint | undefined> {
  try {
    return (await stat(file, { bigint: true })).ino
  } catch {
    return undefined
  }
}

async function readGroups(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch {
    return ''
  }
}

/** The innermost: an engine may itself run in a container. */
function containerIn(groups: string): string | undefined {
  return [...groups.matchAll(/[0-9a-f]{64}/g)].at(-1)?.[0]
}
