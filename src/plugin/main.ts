/**
 * `weave plugin`: serves Docker's plugin socket in the foreground until it is told to end.
 *
 *   SIGTERM, SIGINT   finish the calls under way, remove the socket, exit 0; containers go on
 *
 * A bug in one call is answered and logged; one outside any call ends the process, and whoever
 * keeps it up starts it again, with nothing lost. What ended it is left in a file for
 * `weave launch-plugin`.
 */

import { rm } from 'node:fs/promises'
import { Command } from 'commander'
import { writeDurably } from '../disk/file.ts'
import { Fault } from '../model/fault.ts'
import { internalError } from '../model/faults.ts'
import { pluginPaths, readPaths } from '../settings/paths.ts'
import type { Paths } from '../settings/paths.ts'
import { addPluginOptions, driverOf, readPluginOptions } from '../settings/plugin.ts'
import type { PluginSettings } from '../settings/plugin.ts'
import { formatFault } from '../settings/report.ts'
import { createLog } from './log.ts'
import { startPlugin } from './plugin.ts'

async function main(argv: readonly string[]): Promise<void> {
  const command = addPluginOptions(new Command('weave plugin'))
    .description('serve Docker on its plugin socket, in the foreground')
    .showHelpAfterError('(see "weave plugin --help")')
    .allowExcessArguments(false)
  command.parse([...argv])
  const settings = readPluginOptions(command.opts())
  const paths = readPaths(process.env)
  const { faultFile } = pluginPaths(paths, driverOf(settings.socket))
  try {
    await rm(faultFile, { force: true })
    await run(settings, paths)
  } catch (error) {
    const fault = toFault(error)
    await writeDurably(faultFile, `${formatFault(fault)}\n`)
    throw fault
  }
}

async function run(settings: PluginSettings, paths: Paths): Promise<void> {
  const log = createLog(settings.logLevel)
  const told = nextSignal()
  const plugin = await startPlugin(settings, {
    paths,
    env: process.env,
    log,
  })
  log.info({ signal: await told }, 'ending; containers go on')
  await plugin.stop()
  log.info('ended')
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, resolve)
  })
}

function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  return internalError(error instanceof Error ? error.message : String(error)).causedBy(error)
}

try {
  await main(process.argv)
} catch (error) {
  const fault = toFault(error)
  process.stderr.write(`${formatFault(fault)}\n`)
  process.exitCode = fault.exit
}
