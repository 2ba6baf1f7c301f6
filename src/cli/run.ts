/**
 * Reads a command line and runs the command that it names.
 *
 * Exit status: 0 done; otherwise what the fault carries (sysexits.h), see `exitStatuses`. Every fault
 * is two lines on stderr, what is wrong and what to do, with its code to look up.
 */

import { Command, CommanderError } from 'commander'
import { Fault } from '../model/fault.ts'
import { commands } from './commands.ts'
import type { CommandEntry } from './commands.ts'
import type { Context } from './context.ts'
import { isHelp, refuseCommand, refuseUsage } from './refusal.ts'

/** EX_SOFTWARE: a bug of ours. */
const bugExit = 70
/** As shells say it for SIGINT. */
const interruptedExit = 130

/** What the statuses mean, as shown by `weave --help` and in the documentation. */
export const exitStatuses = [
  '0    done',
  '1    weave dns-lookup: nothing is known',
  '64   the command line is wrong; nothing was changed',
  '65   a request was not understood: two versions of weave',
  '69   something that is needed is not there: router, store, peer, Docker',
  '70   a bug in weave',
  '71   the kernel refused something',
  '75   not now: not ready, already running, took too long; may be repeated',
  '77   root is needed',
  '78   this host is not configured for it',
  '130  interrupted',
]

/** Never throws: what goes wrong is printed, and becomes the exit status. */
export async function run(argv: readonly string[], context: Context): Promise<void> {
  try {
    await runCommand(argv, context)
  } catch (error) {
    if (isHelp(error)) return
    context.exitWith(context.signal.aborted ? interruptedExit : report(error, context))
  }
}

/** The whole command tree, with only `load`ed commands filled in; the help needs no more. */
export async function buildProgram(
  context: Context,
  { load }: { readonly load: (entry: CommandEntry) => boolean },
): Promise<Command> {
  const program = new Command('weave')
    .description('One private network for the containers of many Docker hosts.')
    .usage('COMMAND [options]')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText(
      'after',
      `\nExample:\n  weave launch && weave launch-plugin\n\nExit status:\n  ${exitStatuses.join('\n  ')}`,
    )
  settle(program, context)
  for (const entry of commands) {
    const command = program
      .command(entry.name)
      .description(sentence(entry.summary))
      .summary(entry.summary)
    settle(command, context)
    if (load(entry)) (await entry.load()).configure(command, context)
  }
  return program
}

async function runCommand(argv: readonly string[], context: Context): Promise<void> {
  const words = argv.length === 0 ? ['--help'] : argv[0] === '--version' ? ['version'] : argv
  const asked = (words[0] === 'help' ? words[1] : words[0]) ?? 'help'
  const isCommand = commands.some(({ name }) => name === asked)
  if (!isCommand && !asked.startsWith('-') && asked !== 'help') throw refuseCommand(asked)
  const program = await buildProgram(context, { load: ({ name }) => name === asked })
  try {
    await program.parseAsync([...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError) || isHelp(error)) throw error
    throw refuseUsage(error, describeCommand(program, asked))
  }
}

function describeCommand(program: Command, asked: string): { name: string; flags: string[] } {
  const found = program.commands.find((one) => one.name() === asked)
  const options = (found ?? program).options.flatMap(({ long }) => long ?? [])
  return { name: found?.name() ?? '', flags: ['--help', ...options] }
}

/** Commander neither ends the process nor prints errors; that is for `run`. */
function settle(command: Command, { print }: Context): void {
  command
    .exitOverride()
    .allowExcessArguments(false)
    .helpOption('-h, --help', 'show this help')
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({ writeOut: (text) => print(text.trimEnd()), writeErr: () => undefined })
}

function report(error: unknown, context: Context): number {
  if (error instanceof AggregateError) {
    const exits = error.errors.map((one) => report(one, context))
    return exits[0] ?? bugExit
  }
  if (error instanceof Fault) {
    context.note(`weave: ${error.message}\n  ${error.remedy} [${error.code}]`)
    return error.exit
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  context.note(`weave: a bug, please report it: ${text}`)
  return bugExit
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
