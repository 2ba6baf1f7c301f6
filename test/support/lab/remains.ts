/**
 * What is left of a lab, seen from outside?
 *
 * Processes are found by the namespaces they are in and, for containers (which have namespaces of
 * their own), by the lab's control group; mounts by the lab's directory. Never by name: other people's dockerd
 * and etcd run on the same computer.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { open, readdir, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const kinds = ['net', 'mnt', 'pid']
const cgroupRoot = '/sys/fs/cgroup'

/** Such as `net:[4026532281]`; empty when the process has gone. */
export function namespacesOf(pid: number): string[] {
  return kinds.flatMap((kind) => attempt(() => [readlinkSync(`/proc/${pid}/ns/${kind}`)]) ?? [])
}

/** Processes in any of these namespaces or in a control group of that name. */
export function processesIn(namespaces: readonly string[], cgroup?: string): number[] {
  const wanted = new Set(namespaces)
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid))
    .filter(
      (pid) =>
        namespacesOf(pid).some((namespace) => wanted.has(namespace)) ||
        (cgroup !== undefined && cgroupsOf(pid).includes(`/${cgroup}/`)),
    )
}

/** Mounts of this process's own namespace that lie under `directory`. */
export function mountsUnder(directory: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target === directory || target.startsWith(`${directory}/`))
}

/**
 * SIGKILL for process 1 of a machine. Returns the processes that outlived it, none in practice.
 *
 * The kernel reuses IDs of namespaces at once, so the machine's are held until the last look: else
 * somebody else's new processes would be taken for survivors.
 */
export async function killProcessOne(
  pid: number,
  namespaces: readonly string[],
): Promise<readonly number[]> {
  if (namespacesOf(pid).join() !== namespaces.join()) return [] // a power cut came first
  await using _held = await holdNamespaces(pid)
  attempt(() => process.kill(pid, 'SIGKILL'))
  await until(() => processesIn(namespaces).length === 0, 10_000)
  return processesIn(namespaces)
}

/** Keeps the namespaces of a process, and thereby their IDs, from being reused. */
export async function holdNamespaces(pid: number): Promise<AsyncDisposable> {
  const handles = await Promise.all(kinds.map((kind) => open(`/proc/${pid}/ns/${kind}`)))
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(handles.map((handle) => handle.close()))
    },
  }
}

/** Removes a control group's directories in every hierarchy; they must be empty of processes. */
export async function removeCgroup(name: string): Promise<void> {
  const hierarchies = [cgroupRoot, ...childDirectories(cgroupRoot)]
  const tops = hierarchies.flatMap((top) => [`${top}/${name}`, `${top}/unified/${name}`])
  for (const top of new Set(tops)) await removeTree(top)
}

export function cgroupDirectories(name: string): string[] {
  return [cgroupRoot, ...childDirectories(cgroupRoot)]
    .map((top) => `${top}/${name}`)
    .filter((directory) => attempt(() => readdirSync(directory)) !== undefined)
}

/** Waits for something to become true; returns whether it did. */
export async function until(
  isTrue: () => boolean | Promise<boolean>,
  deadlineMs: number,
): Promise<boolean> {
  const end = Date.now() + deadlineMs
  for (;;) {
    if (await isTrue()) return true
    if (Date.now() > end) return false
    await sleep(20)
  }
}

async function removeTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) return
  for (const entry of entries) {
    if (entry.isDirectory()) await removeTree(path.join(directory, entry.name))
  }
  // A group stays busy for a moment after its last process has ended.
  let failure: unknown
  await until(async () => {
    failure = await rmdir(directory).catch((error: unknown) => error)
    return failure === undefined
  }, 3_000)
}

function cgroupsOf(pid: number): string {
  return attempt(() => readFileSync(`/proc/${pid}/cgroup`, 'utf8')) ?? ''
}

function childDirectories(directory: string): string[] {
  const entries = attempt(() => readdirSync(directory, { withFileTypes: true })) ?? []
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${directory}/${name}`)
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
