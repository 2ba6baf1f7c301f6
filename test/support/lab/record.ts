/**
 * How is a lab removed by somebody who did not make it?
 *
 * Each lab writes down its machines in lab.json in its own directory, before anything can go wrong. Removal reads that
 * file, always: by the lab itself, by `script/demo --remove`, and by the next lab, which sweeps up
 * what a killed test run left (its machines died with it, its disks and control groups did not).
 *
 * Process IDs are reused: a process is a machine's only if its namespaces are the recorded ones.
 */

import { readFileSync } from 'node:fs'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { Machine } from './machine.ts'
import { exists, labsDirectory } from './places.ts'
import {
  cgroupDirectories,
  killProcessOne,
  mountsUnder,
  processesIn,
  removeCgroup,
} from './remains.ts'

const recordSchema = z.object({
  owner: z.object({ pid: z.number(), started: z.string() }),
  lifetime: z.enum(['process', 'detached']),
  cgroup: z.string(),
  machines: z.array(
    z.object({ name: z.string(), pid: z.number(), namespaces: z.array(z.string()) }),
  ),
})

type Contents = z.infer<typeof recordSchema>

export interface LabRecord {
  readonly directory: string
  /** Name of the control group above all of the lab's containers. */
  readonly cgroup: string
  /** Notes a machine that was switched on. */
  add(machine: Machine): Promise<void>
  save(): Promise<void>
}

export function createRecord(directory: string, lifetime: Contents['lifetime']): LabRecord {
  const cgroup = path.basename(directory)
  const owner = { pid: process.pid, started: startOf(process.pid) }
  const contents: Contents = { owner, lifetime, cgroup, machines: [] }
  let writing = Promise.resolve()
  const record: LabRecord = {
    directory,
    cgroup,
    add: async ({ name, pid, namespaces }) => {
      contents.machines.push({ name, pid, namespaces: [...namespaces] })
      await record.save()
    },
    save: async () => {
      writing = writing.then(() => write(directory, contents))
      await writing
    },
  }
  return record
}

/** The machines of a lab, those that have died since included. */
export async function readRecord(directory: string): Promise<Contents> {
  return recordSchema.parse(JSON.parse(await readFile(path.join(directory, 'lab.json'), 'utf8')))
}

/** Ends and removes a lab; harmless when it is gone. Throws when something of it is left over. */
export async function removeLab(directory: string): Promise<void> {
  if (!(await exists(directory))) return
  const { machines, cgroup } = await readRecord(directory)
  const survivors = await Promise.all(
    machines.map(({ pid, namespaces }) => killProcessOne(pid, namespaces)),
  )
  // A mount that is visible from here would lead the removal into this computer's own files.
  const mounts = mountsUnder(directory)
  if (mounts.length > 0) throw new Error(`mounts of the lab are still there: ${mounts.join(', ')}`)
  await Promise.all([removeCgroup(cgroup), rm(directory, { recursive: true, force: true })])
  const left = [
    ...[...survivors.flat(), ...processesIn([], cgroup)].map((pid) => `process ${pid}`),
    ...cgroupDirectories(cgroup).map((group) => `control group ${group}`),
    ...((await exists(directory)) ? [`directory ${directory}`] : []),
  ]
  if (left.length > 0) throw new Error(`the lab left behind: ${left.join(', ')}`)
}

/** Removes labs whose process has died, but for detached ones. */
export async function sweep(): Promise<void> {
  const names = await readdir(labsDirectory).catch(() => [])
  for (const name of names) {
    const directory = path.join(labsDirectory, name)
    const contents = await readRecord(directory).catch(() => undefined)
    if (contents === undefined || contents.lifetime === 'detached') continue
    if (startOf(contents.owner.pid) !== contents.owner.started) await removeLab(directory)
  }
}

async function write(directory: string, contents: Contents): Promise<void> {
  const file = path.join(directory, 'lab.json')
  await writeFile(`${file}.new`, `${JSON.stringify(contents, undefined, 2)}\n`)
  await rename(`${file}.new`, file)
}

/** When a process started, in the kernel's ticks; empty when there is none. Tells reused IDs apart. */
function startOf(pid: number): string {
  try {
    // After the name in parentheses, which may hold anything: field 22 of proc(5)'s stat.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19] ?? ''
  } catch {
    return ''
  }
}
