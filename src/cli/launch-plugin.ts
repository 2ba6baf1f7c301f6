/**
 * `weave launch-plugin`: makes `--driver=weave` known to the Docker engine of this host.
 *
 * dockerd finds the plugin by its socket, so several instances with different sockets are several
 * drivers. Launching one that answers already is no error: scripts may repeat themselves.
 */

import type { Command } from 'commander'
import { routerNotRunning } from '../model/faults.ts'
import { oneOf, given, runModes } from '../settings/flags.ts'
import type { Flags, RunMode } from '../settings/flags.ts'
import { addPluginOptions, driverOf, readPluginOptions } from '../settings/plugin.ts'
import type { PluginSettings } from '../settings/plugin.ts'
import type { Context } from './context.ts'
import { requireRoot } from './context.ts'
import { answersOn } from './plugin-socket.ts'
import { chooseKeeper, keeperOf } from './run-mode/choose.ts'
import type { Keeper } from './run-mode/keeper.ts'
import { createKeepers } from './run-mode/keepers.ts'
import { readRecord } from './run-mode/record.ts'
import { pluginService, routerName } from './run-mode/service.ts'
import { startAndWait } from './run-mode/start.ts'
import { openRouter, statusIfRunning } from './running.ts'

const readyTimeoutMs = 30_000

interface Launch {
  readonly settings: PluginSettings
  readonly runAs: RunMode | undefined
  readonly restart: 'always' | 'no'
}

export function configure(command: Command, context: Context): void {
  addPluginOptions(command)
    .option('--no-restart', 'do not start the plugin again when it ends')
    .option('--run-as <mode>', `${runModes.join(', ')} (default: as the router)`)
    .addHelpText(
      'after',
      `
Examples:
  weave launch-plugin
  weave launch-plugin --socket=/run/docker/plugins/blue.sock   for --driver=blue`,
    )
    .action((options: Flags) =>
      launchPlugin(
        {
          settings: readPluginOptions(options),
          runAs: given(options, 'runAs', (text) => oneOf('--run-as', text, runModes)),
          restart: options['restart'] === false ? 'no' : 'always',
        },
        context,
      ),
    )
}

async function launchPlugin(launch: Launch, context: Context): Promise<void> {
  const { settings, restart } = launch
  const { paths, installation, signal, print, progress } = context
  const { socket } = settings
  requireRoot(context, 'weave launch-plugin')
  if (await answersOn(socket, signal)) {
    print(`weave: a plugin already answers on ${socket}`)
    return
  }
  using router = openRouter(context)
  const status = await statusIfRunning(router, signal)
  if (status === undefined) throw routerNotRunning(paths.routerSocket)
  const keeper = await choose(launch, context)
  const service = pluginService(settings, { paths, installation, restart })
  await endDeadOne(service.name, context)
  await startAndWait(service, {
    keeper,
    paths,
    socket,
    async missing() {
      return (await answersOn(socket, signal)) ? undefined : 'nothing answers yet'
    },
    progress,
    timeoutMs: readyTimeoutMs,
    signal,
  })
  progress('')
  print(`weave: driver "${driverOf(socket)}" answers on ${socket}`)
}

/** As the router, unless asked otherwise. */
async function choose({ runAs }: Launch, context: Context): Promise<Keeper> {
  const router = await readRecord(context.paths, routerName)
  const asked = runAs ?? router?.runAs
  return chooseKeeper(createKeepers(context), { asked, signal: context.signal })
}

/** One that is up but does not answer would fight with its successor for the socket. */
async function endDeadOne(service: string, context: Context): Promise<void> {
  const record = await readRecord(context.paths, service)
  if (record === undefined) return
  await keeperOf(createKeepers(context), record.runAs).stop(record, context.signal)
}
