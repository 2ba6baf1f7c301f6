/**
 * Starts a program in its run mode and waits until it does its work.
 *
 * A launch that fails must not leave a loop behind that fails every second from then on. So when the
 * program says why it ended, or is gone, its keeper is stopped and the reason is thrown. A program
 * that runs but is not ready yet is left alone: it may only be waiting for its store.
 */

import { readFile, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../../model/fault.ts'
import { notReady, startFailed } from '../../model/faults.ts'
import type { Paths } from '../../settings/paths.ts'
import { parseFault } from '../../settings/report.ts'
import type { Keeper } from './keeper.ts'
import { removeRecord, writeRecord } from './record.ts'
import type { Service } from './service.ts'

export interface StartOptions {
  readonly keeper: Keeper
  readonly paths: Paths
  /** Kept in the record of a plugin. */
  readonly socket?: string
  /** Undefined when it is ready, else what it still waits for. */
  readonly missing: (signal: AbortSignal) => Promise<string | undefined>
  readonly progress: (line: string) => void
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const pollMs = 150
/** Asking a keeper may mean spawning `docker`. */
const keeperPollMs = 1500

export async function startAndWait(service: Service, options: StartOptions): Promise<void> {
  const { keeper, paths, socket, signal } = options
  await rm(service.faultFile, { force: true })
  const handle = await keeper.start(service, signal)
  await writeRecord(paths, { ...handle, socket })
  const outcome = await waitUntilReady(service, options, () => keeper.isUp(handle, signal))
  if (outcome.kind === 'ready') return
  if (outcome.kind === 'late') throw notReady(service.name, options.timeoutMs, outcome.problem)
  await keeper.stop(handle, signal)
  await removeRecord(paths, service.name)
  throw outcome.fault ?? startFailed(service.name, keeper.logOf(service))
}

type Wait =
  | { readonly kind: 'ready' }
  | { readonly kind: 'ended'; readonly fault: Fault | undefined }
  | { readonly kind: 'late'; readonly problem: string }

async function waitUntilReady(
  service: Service,
  { missing, progress, timeoutMs, signal }: StartOptions,
  isUp: () => Promise<boolean>,
): Promise<Wait> {
  const begin = Date.now()
  let asked = begin
  let problem: string | undefined = 'nothing answers yet'
  while (Date.now() - begin < timeoutMs) {
    const fault = await readFault(service.faultFile)
    if (fault !== undefined) return { kind: 'ended', fault }
    problem = await missing(signal)
    if (problem === undefined) return { kind: 'ready' }
    progress(`${service.name}: ${problem} (${Math.round((Date.now() - begin) / 1000)} s)`)
    if (Date.now() - asked >= keeperPollMs) {
      if (!(await isUp())) return { kind: 'ended', fault: await readFault(service.faultFile) }
      asked = Date.now()
    }
    await sleep(pollMs, undefined, { signal })
  }
  return { kind: 'late', problem: problem ?? '' }
}

/** What a program of ours left when it ended, or why it waits; undefined when all went well. */
export async function readFault(file: string): Promise<Fault | undefined> {
  return parseFault(await readFile(file, 'utf8').catch(() => ''))
}
