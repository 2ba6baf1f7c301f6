/**
 * `weave stop`: ends the router for good; running containers keep their connections.
 *
 * The one that a launch keeps up is ended by its keeper, which must not start it again. One that
 * somebody runs in the foreground is asked through its socket. Plugins keep running and say so to
 * dockerd when they need the router.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { RouterClient } from '../control/client.ts'
import { deadlinePassed } from '../model/faults.ts'
import type { Context } from './context.ts'
import { requireRoot } from './context.ts'
import { keeperOf } from './run-mode/choose.ts'
import { createKeepers } from './run-mode/keepers.ts'
import { readRecord, retireRecord } from './run-mode/record.ts'
import { routerName } from './run-mode/service.ts'
import { isPlugin, openRouter, refuseManaged, statusIfRunning, upRecords } from './running.ts'

const endTimeoutMs = 30_000
const pollMs = 100

export function configure(command: Command, context: Context): void {
  command
    .addHelpText('after', '\nExample:\n  weave stop && weave launch --mtu=1400 host1')
    .action(() => stop(context))
}

async function stop(context: Context): Promise<void> {
  const { print, signal } = context
  requireRoot(context, 'weave stop')
  await refuseManaged(context, 'weave stop')
  const outcome = await stopRouter(context)
  print(
    outcome === 'stopped'
      ? 'weave: router stopped; running containers keep their connections'
      : 'weave: the router was not running',
  )
  const plugins = (await upRecords(context, createKeepers(context))).filter(isPlugin)
  signal.throwIfAborted()
  if (plugins.length === 0) return
  const names = plugins.map(({ socket, service }) => socket ?? service).join(', ')
  print(`weave: still up: plugin on ${names}; end with "weave stop-plugin --all"`)
}

/** Nothing to stop is no error. */
export async function stopRouter(context: Context): Promise<'stopped' | 'none'> {
  const { paths, signal } = context
  using router = openRouter(context)
  const answered = await statusIfRunning(router, signal).catch(() => 'unknown')
  const record = await readRecord(paths, routerName)
  const keeper = record && keeperOf(createKeepers(context), record.runAs)
  const wasUp = record !== undefined && (await keeper?.isUp(record, signal)) === true
  if (record !== undefined) await keeper?.stop(record, signal)
  await retireRecord(paths, routerName)
  if (answered === undefined) return wasUp ? 'stopped' : 'none'
  await askToEnd(router, signal)
  return 'stopped'
}

/** For a router in the foreground, or one whose supervisor was killed. */
async function askToEnd(router: RouterClient, signal: AbortSignal): Promise<void> {
  if ((await statusIfRunning(router, signal)) === undefined) return
  await router.stop({ signal })
  for (let waited = 0; waited < endTimeoutMs; waited += pollMs) {
    if ((await statusIfRunning(router, signal).catch(() => undefined)) === undefined) return
    await sleep(pollMs, undefined, { signal })
  }
  throw deadlinePassed('stopping the router', endTimeoutMs)
}
