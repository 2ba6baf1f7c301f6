/**
 * `weave router`: prepares, runs, or cleans up after the router of this host.
 *
 *   weave router                        resumes with what is stored; keeps running
 *   weave router [options] [peers]      prepares with these, then the same
 *   weave router --prepare […]          only prepares; one line of JSON says what came of it
 *   weave router --reset                removes every trace of a router that is not running
 */

import { rm } from 'node:fs/promises'
import { Command } from 'commander'
import { writeDurably } from '../disk/file.ts'
import { Fault } from '../model/fault.ts'
import { internalError } from '../model/faults.ts'
import { addLaunchOptions, readLaunchOptions } from '../settings/launch.ts'
import { readPaths } from '../settings/paths.ts'
import type { Paths } from '../settings/paths.ts'
import { formatFault, formatPrepared, formatReset } from '../settings/report.ts'
import { createLog } from './log.ts'
import type { Logger } from './log.ts'
import { prepare, resume } from './prepare.ts'
import { resetOffline } from './reset.ts'
import { runRouter } from './router.ts'

async function main(argv: readonly string[]): Promise<void> {
  const command = addLaunchOptions(new Command('weave router'))
    .argument('[peers...]', 'running routers, HOST or HOST:PORT')
    .option('--prepare', 'only find peers, store and address, and write them down')
    .option('--reset', 'remove every trace of a router that is not running')
    .showHelpAfterError('(see "weave router --help")')
  command.parse([...argv])
  const options: Readonly<Record<string, unknown>> = command.opts()
  const paths = readPaths(process.env)
  if (options['reset'] === true) {
    const { removed } = await resetOffline(paths)
    process.stdout.write(`${formatReset(removed)}\n`)
    return
  }
  const resuming = argv.length === 2
  if (!resuming) {
    const report = await prepare(readLaunchOptions(options, command.args), paths)
    if (options['prepare'] === true) {
      process.stdout.write(`${formatPrepared(report)}\n`)
      return
    }
  }
  await run(paths)
}

async function run(paths: Paths): Promise<void> {
  const prepared = await resume(paths)
  const log = createLog(prepared.settings.logLevel)
  for (const warning of prepared.warnings) log.warn(warning)
  await rm(paths.routerFaultFile, { force: true })
  const ending = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      log.info({ signal: name }, 'ending; traffic goes on')
      ending.abort()
    })
  }
  await runRouter({ prepared, paths, log, ending })
  log.info('ended')
}

/** The fault goes to the log, to whoever started us, and to a file for `weave launch`. */
async function end(error: unknown, log: Logger): Promise<never> {
  const fault = error instanceof Fault ? error : internalError(String(error))
  if (fault === error) log.error({ code: fault.code, remedy: fault.remedy }, fault.message)
  else log.fatal({ err: error }, 'unexpected failure')
  const line = `${formatFault(fault)}\n`
  process.stderr.write(line)
  if (!process.argv.includes('--prepare')) await leaveNote(line)
  process.exit(fault.exit)
}

async function leaveNote(line: string): Promise<void> {
  try {
    await writeDurably(readPaths(process.env).routerFaultFile, line)
  } catch {
    // The log has it; there is nobody else left to tell.
  }
}

try {
  await main(process.argv)
  process.exit(0)
} catch (error) {
  await end(error, createLog('info'))
}
