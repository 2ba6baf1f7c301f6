/**
 * `weave launch`: checks, prepares, starts the router in its run mode, and waits until it is ready.
 *
 * Whatever can be wrong with the flags, the peers or the store is found while preparing, before
 * anything is started. What was running is never touched: launching twice is refused.
 */

import type { Command } from 'commander'
import { alreadyRunning, programFailed } from '../model/faults.ts'
import type { Flags, RunMode } from '../settings/flags.ts'
import { addLaunchOptions, launchFlags, readLaunchOptions } from '../settings/launch.ts'
import type { LaunchSettings } from '../settings/launch.ts'
import { parseFault, parsePrepared } from '../settings/report.ts'
import type { Prepared } from '../settings/report.ts'
import type { Context } from './context.ts'
import { requireRoot } from './context.ts'
import { describeLaunch, describeMissing } from './launched.ts'
import { runProgram } from './program.ts'
import { chooseKeeper } from './run-mode/choose.ts'
import type { Keeper } from './run-mode/keeper.ts'
import { createKeepers } from './run-mode/keepers.ts'
import { routerName, routerService } from './run-mode/service.ts'
import { startAndWait } from './run-mode/start.ts'
import { openRouter, statusIfRunning, upRecords } from './running.ts'

/** Peers that do not answer each cost the router a few seconds. */
const prepareTimeoutMs = 60_000
const readyTimeoutMs = 60_000

export function configure(command: Command, context: Context): void {
  addLaunchOptions(
    command.argument(
      '[peer...]',
      'hosts of the cluster to join, HOST or HOST:PORT; none founds one',
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  weave launch                                       the first host
  weave launch host1                                 every further one
  weave launch --cluster-store=etcd://db1,db2:2379   with an etcd of your own`,
    )
    .action((peers: string[], options: Flags) => launch(readLaunchOptions(options, peers), context))
}

async function launch(settings: LaunchSettings, context: Context): Promise<void> {
  const { paths, installation, signal, progress } = context
  requireRoot(context, 'weave launch')
  const keepers = createKeepers(context)
  using router = openRouter(context)
  await refuseSecond(context, keepers)
  const keeper = await chooseKeeper(keepers, { asked: settings.runAs, signal })
  progress('router: preparing')
  const prepared = await prepare({ ...settings, runAs: keeper.mode }, context)
  const restart = settings.restart ? 'always' : 'no'
  await startAndWait(routerService({ paths, installation, restart }), {
    keeper,
    paths,
    async missing() {
      const status = await statusIfRunning(router, signal)
      return status === undefined ? 'nothing answers yet' : describeMissing(status)
    },
    progress,
    timeoutMs: readyTimeoutMs,
    signal,
  })
  progress('')
  for (const warning of prepared.warnings) context.note(`weave: warning: ${warning}`)
  const status = await router.status({ signal })
  for (const line of describeLaunch(status, prepared)) context.print(`weave: ${line}`)
}

async function refuseSecond(context: Context, keepers: readonly Keeper[]): Promise<void> {
  using router = openRouter(context)
  const status = await statusIfRunning(router, context.signal)
  if (status !== undefined) throw alreadyRunning(status.host.runAs)
  const up = (await upRecords(context, keepers)).find(({ service }) => service === routerName)
  if (up !== undefined) throw alreadyRunning(up.runAs)
}

/** The router itself checks what only it can, and stores the settings for its every later start. */
async function prepare(
  settings: LaunchSettings & { runAs: RunMode },
  { installation, env, signal }: Context,
): Promise<Prepared> {
  const argv = [...installation.router, '--prepare', ...launchFlags(settings)]
  const { exit, stdout, stderr } = await runProgram(argv, {
    timeoutMs: prepareTimeoutMs,
    signal,
    env,
  })
  if (exit === 0) return parsePrepared(stdout) ?? { warnings: [] }
  const lastLine = stderr.trim().split('\n').at(-1) ?? ''
  throw parseFault(stderr) ?? programFailed('weave router --prepare', lastLine || `exit ${exit}`)
}
