/**
 * Turns what commander refuses into our own faults, with the nearest right word.
 */

import { CommanderError } from 'commander'
import type { Fault } from '../model/fault.ts'
import { badUsage, unknownCommand } from '../model/faults.ts'
import { nearest } from '../settings/nearest.ts'
import { commands, retired } from './commands.ts'

/** For a first word that is no command of ours. */
export function refuseCommand(word: string): Fault {
  const hint = Object.hasOwn(retired, word) ? retired[word] : undefined
  if (hint !== undefined) return unknownCommand(word, hint)
  const near = nearest(
    word,
    commands.map(({ name }) => name),
  )
  return unknownCommand(
    word,
    near === undefined ? '"weave help" lists the commands.' : `Did you mean "weave ${near}"?`,
  )
}

/** @param name of the command that was being read, empty for `weave` itself. */
export function refuseUsage(
  error: CommanderError,
  { name, flags }: { readonly name: string; readonly flags: readonly string[] },
): Fault {
  const [first = ''] = error.message.split('\n')
  const problem = first.replace(/^error: /, '').replaceAll("'", '"')
  const help = `"${['weave', name, '--help'].filter(Boolean).join(' ')}" shows what there is.`
  const flag = /^unknown option "(-[^"=]*)/.exec(problem)?.[1]
  const near = flag === undefined ? undefined : nearest(flag, flags)
  return badUsage(problem, near === undefined ? help : `Did you mean ${near}? ${help}`)
}

export function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0
}
