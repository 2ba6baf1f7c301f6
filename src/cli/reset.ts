/**
 * `weave reset`: removes every trace of weave from this host, and this host from its cluster.
 *
 * Order matters. Plugins go first, so that dockerd asks for nothing new; then the router removes what
 * only it knows (links, rules, records in the store), running or for a moment; then its keeper, so
 * that nothing starts again; last the files. Each part goes on when another fails, and all of it may
 * be repeated.
 */

import { readdir, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import type { Command } from 'commander'
import { notConfirmed, programFailed } from '../model/faults.ts'
import type { Flags } from '../settings/flags.ts'
import { ownFiles } from '../settings/paths.ts'
import { parseFault, parseReset } from '../settings/report.ts'
import type { Removed } from '../settings/report.ts'
import type { Context } from './context.ts'
import { requireRoot } from './context.ts'
import { runProgram } from './program.ts'
import { keeperOf } from './run-mode/choose.ts'
import { createKeepers } from './run-mode/keepers.ts'
import { readRecord, readRecords, readRetired } from './run-mode/record.ts'
import { routerName } from './run-mode/service.ts'
import { openRouter, refuseManaged, statusIfRunning } from './running.ts'
import { stopPlugins } from './stop-plugin.ts'
import { stopRouter } from './stop.ts'

/** It may have to wait for a store that does not answer. */
const offlineTimeoutMs = 120_000

export function configure(command: Command, context: Context): void {
  command
    .option('--force', 'do not ask')
    .addHelpText('after', '\nExample:\n  weave reset --force')
    .action((options: Flags) => reset(options, context))
}

async function reset(options: Flags, context: Context): Promise<void> {
  requireRoot(context, 'weave reset')
  await refuseManaged(context, 'weave reset')
  if (options['force'] !== true) await confirm(context)
  const { paths } = context
  const records = [...(await readRecords(paths)), ...(await readRetired(paths))]
  const failures: unknown[] = []
  const removed: string[] = []
  await attempt(async () => {
    removed.push(...(await stopPlugins(context)).map((socket) => `plugin on ${socket}`))
  })
  await attempt(async () => {
    removed.push(...describeRemoved(await resetRouter(context)))
  })
  await attempt(async () => {
    if ((await stopRouter(context)) === 'stopped') removed.push('router')
  })
  for (const record of records) {
    const keeper = keeperOf(createKeepers(context), record.runAs)
    await attempt(async () => {
      removed.push(...(await keeper.remove(record, context.signal)))
    })
  }
  await attempt(async () => {
    removed.push(...(await removeFiles(context)))
  })
  context.print(
    `weave: removed ${removed.length === 0 ? 'nothing: there was nothing' : ''}`.trimEnd(),
  )
  for (const one of new Set(removed)) context.print(`  ${one}`)
  if (failures.length === 1) throw failures[0]
  if (failures.length > 1) throw new AggregateError(failures, 'parts of the reset failed')

  async function attempt(part: () => Promise<void>): Promise<void> {
    await part().catch((error: unknown) => failures.push(error))
  }
}

async function confirm({ ask }: Context): Promise<void> {
  const answer = await ask(
    'Remove all of weave from this host? Its containers lose their weave networks. [y/N] ',
  )
  if (!/^y(?:es)?$/i.test(answer?.trim() ?? '')) throw notConfirmed('weave reset')
}

async function resetRouter(context: Context): Promise<Removed> {
  const { paths, signal, progress } = context
  using router = openRouter(context)
  const isUp = (await statusIfRunning(router, signal)) !== undefined
  progress('router: removing links, rules and records')
  if (!isUp) {
    await stopRouter(context)
    return await resetOffline(context)
  }
  const record = await readRecord(paths, routerName)
  if (record !== undefined) {
    await keeperOf(createKeepers(context), record.runAs).letGo(record, signal)
  }
  return (await router.reset({ signal })).removed
}

async function resetOffline({ installation, env, signal }: Context): Promise<Removed> {
  const argv = [...installation.router, '--reset']
  const { exit, stdout, stderr } = await runProgram(argv, {
    timeoutMs: offlineTimeoutMs,
    signal,
    env,
  })
  if (exit === 0) return parseReset(stdout) ?? {}
  const lastLine = stderr.trim().split('\n').at(-1) ?? ''
  throw parseFault(stderr) ?? programFailed('weave router --reset', lastLine || `exit ${exit}`)
}

function describeRemoved(removed: Removed): string[] {
  return Object.entries(removed)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${kind}: ${count}`)
}

/** Only files that carry our names; a directory only when that leaves it empty. */
async function removeFiles({ paths }: Context): Promise<string[]> {
  const removed: string[] = []
  for (const { dir, name } of ownFiles(paths)) {
    const ours = (await readdir(dir).catch(() => [])).filter((entry) => name.test(entry))
    for (const entry of ours) {
      await rm(path.join(dir, entry), { recursive: true, force: true })
      removed.push(path.join(dir, entry))
    }
    await rmdir(dir).catch(() => undefined)
  }
  return removed
}
