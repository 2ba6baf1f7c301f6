/**
 * `weave stop-plugin`: ends one plugin instance, or all of them.
 *
 * Running containers are not affected. dockerd cannot start or stop any on our networks until the
 * plugin is back, so a dead socket is taken away: dockerd would wait for it.
 */

import { Option } from 'commander'
import type { Command } from 'commander'
import { notOursToStop } from '../model/faults.ts'
import { given } from '../settings/flags.ts'
import type { Flags } from '../settings/flags.ts'
import { defaultPluginSocket, readPluginSocket } from '../settings/plugin.ts'
import type { Context } from './context.ts'
import { requireRoot } from './context.ts'
import { answersOn, removeDeadSocket } from './plugin-socket.ts'
import { keeperOf } from './run-mode/choose.ts'
import { createKeepers } from './run-mode/keepers.ts'
import { readRecord, readRecords, retireRecord } from './run-mode/record.ts'
import type { StartRecord } from './run-mode/record.ts'
import { pluginName } from './run-mode/service.ts'
import { isPlugin } from './running.ts'

export function configure(command: Command, context: Context): void {
  command
    .addOption(
      new Option('--socket <path>', `which plugin (default: ${defaultPluginSocket})`).conflicts(
        'all',
      ),
    )
    .option('--all', 'every plugin that "weave launch-plugin" started')
    .addHelpText('after', '\nExample:\n  weave stop-plugin --socket=/run/docker/plugins/blue.sock')
    .action((options: Flags) => stopPlugin(options, context))
}

async function stopPlugin(options: Flags, context: Context): Promise<void> {
  const { paths, signal, print } = context
  const socket = given(options, 'socket', readPluginSocket) ?? defaultPluginSocket
  requireRoot(context, 'weave stop-plugin')
  if (options['all'] === true) {
    const stopped = await stopPlugins(context)
    print(
      `weave: ${stopped.length === 0 ? 'no plugin was running' : `stopped: ${stopped.join(', ')}`}`,
    )
    return
  }
  const record = await readRecord(paths, pluginName(socket))
  if (record !== undefined) {
    await end(record, context)
    print(`weave: plugin on ${socket} stopped; running containers are not affected`)
    return
  }
  if (await answersOn(socket, signal)) throw notOursToStop(socket)
  await removeDeadSocket(socket, signal)
  print(`weave: no plugin was running on ${socket}`)
}

/** Ends all of them; returns their sockets. */
export async function stopPlugins(context: Context): Promise<readonly string[]> {
  const records = (await readRecords(context.paths)).filter(isPlugin)
  for (const record of records) await end(record, context)
  return records.map(({ socket, service }) => socket ?? service)
}

async function end(record: StartRecord, context: Context): Promise<void> {
  const { paths, signal } = context
  await keeperOf(createKeepers(context), record.runAs).stop(record, signal)
  await retireRecord(paths, record.service)
  if (record.socket !== undefined) await removeDeadSocket(record.socket, signal)
}
