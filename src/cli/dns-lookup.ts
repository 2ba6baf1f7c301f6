/**
 * `weave dns-lookup NAME`: the addresses of a name, or the names of an address, one a line, as the
 * router of this host knows them of all networks.
 */

import type { Command } from 'commander'
import { badArgument } from '../model/faults.ts'
import type { Context } from './context.ts'
import { openRouter } from './running.ts'

/** As other programs that look for something and find nothing. */
const nothingExit = 1
const maxLength = 255

export function configure(command: Command, context: Context): void {
  command
    .argument('<name>', 'a name, with or without our domain; or an IP address')
    .addHelpText(
      'after',
      `
Examples:
  weave dns-lookup web1
  weave dns-lookup 10.32.0.7

Exit status 1: nothing is known.`,
    )
    .action((name: string) => lookup(name, context))
}

async function lookup(what: string, context: Context): Promise<void> {
  const { print, note, exitWith, signal } = context
  if (what === '' || what.length > maxLength) {
    throw badArgument('name', what, `Give a name of up to ${maxLength} letters, or an IP address.`)
  }
  using router = openRouter(context)
  const { found } = await router.lookup({ what }, { signal })
  for (const one of found) print(one)
  if (found.length > 0) return
  note(`weave: nothing is known about ${JSON.stringify(what)}`)
  exitWith(nothingExit)
}
