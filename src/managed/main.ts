/**
 * The managed plugin: driver and router in one process, which dockerd starts, ends and keeps up.
 *
 *   dockerd ──/run/docker/plugins/weave.sock──▶ driver ──weave.sock──▶ router
 *
 * One process, because dockerd keeps up one, and because a router that is started beside it would
 * need a supervisor of its own. They talk through the router's socket all the same: `weave status` on
 * the host uses it, too, and neither half knows whether the other is in its process.
 *
 * SIGTERM ends both and takes nothing down; dockerd kills what has not ended after ten seconds.
 */

import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeDurably } from '../disk/file.ts'
import { createEngine } from '../docker/engine.ts'
import { Fault } from '../model/fault.ts'
import { startPlugin } from '../plugin/plugin.ts'
import { createWakeup } from '../reconcile/wakeup.ts'
import { createLog } from '../router/log.ts'
import type { Logger } from '../router/log.ts'
import type { LaunchSettings } from '../settings/launch.ts'
import { readManagedSettings } from '../settings/managed.ts'
import { readPaths } from '../settings/paths.ts'
import type { Paths } from '../settings/paths.ts'
import { defaultPluginSocket } from '../settings/plugin.ts'
import { formatFault } from '../settings/report.ts'
import { enter } from './enter.ts'
import { keepRouter } from './keep.ts'
import { shouldMove } from './loyalty.ts'
import { createNodes } from './nodes.ts'

/** Less than the ten seconds after which dockerd kills. */
const endMs = 8000

async function main(): Promise<void> {
  const told = nextSignal()
  const settings = readSettings()
  const log = createLog(settings instanceof Fault ? 'info' : settings.logLevel, 'stdout')
  const paths = readPaths(process.env)
  await leaveNote(undefined, paths)
  const bell = createWakeup()
  const nodes = createNodes(bell.ring)
  let obstacle = settings instanceof Fault ? settings : undefined
  const plugin = await startPlugin(
    { socket: defaultPluginSocket, scope: 'global', logLevel: 'info' },
    { paths, env: process.env, log, onNode: nodes.add, whyAway: () => obstacle },
  )
  const ending = new AbortController()
  const { signal } = ending
  const engine = createEngine()
  const routing =
    settings instanceof Fault
      ? complain(settings, { log, paths })
      : keepRouter({
          enter: (onWait) => enter({ settings, paths, engine, nodes, log, signal, bell, onWait }),
          shouldMove: (running, onTorn) =>
            shouldMove({ settings, paths, engine, signal: running, onTorn }),
          paths,
          log,
          signal,
          onObstacle(fault) {
            if (fault?.message !== obstacle?.message) void leaveNote(fault, paths)
            obstacle = fault
          },
        })
  const name = await Promise.race([told, routing.then(() => told)])
  log.info({ signal: name }, 'ending; traffic goes on')
  ending.abort()
  await Promise.race([Promise.all([plugin.stop(), routing]), sleep(endMs)])
  await leaveNote(undefined, paths)
  log.info('ended')
}

/** Wrong settings do not keep the plugin from answering: its calls then say what is wrong. */
function readSettings(): LaunchSettings | Fault {
  try {
    return readManagedSettings(process.env)
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
}

async function complain(
  fault: Fault,
  { log, paths }: { readonly log: Logger; readonly paths: Paths },
): Promise<void> {
  log.error({ code: fault.code, remedy: fault.remedy }, fault.message)
  await leaveNote(fault, paths)
}

/** Why there is no router, for `weave status` on the host; none once there is one. */
async function leaveNote(fault: Fault | undefined, { routerFaultFile }: Paths): Promise<void> {
  const written =
    fault === undefined
      ? rm(routerFaultFile, { force: true })
      : writeDurably(routerFaultFile, `${formatFault(fault)}\n`, 'crash')
  // The log has it, and every call says it.
  await written.catch(() => {})
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, resolve)
  })
}

try {
  await main()
  process.exit(0)
} catch (error) {
  createLog('info').fatal({ err: error }, 'unexpected failure')
  process.exit(error instanceof Fault ? error.exit : 70)
}
