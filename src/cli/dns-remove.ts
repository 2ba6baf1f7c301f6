/**
 * `weave dns-remove [IP…] [CONTAINER] [-h NAME]`: removes names that were added on this host, all
 * that match everything that is given. Says nothing when it is done.
 */

import type { Command } from 'commander'
import { badUsage } from '../model/faults.ts'
import type { Flags } from '../settings/flags.ts'
import type { Context } from './context.ts'
import { requireRoot } from './context.ts'
import { addNameOptions, readNameWords } from './name-words.ts'
import { openRouter } from './running.ts'

export function configure(command: Command, context: Context): void {
  addNameOptions(command, 'only what was added with this --net (default: everything)')
    .addHelpText(
      'after',
      `
Examples:
  weave dns-remove web1                  every name that was added for container web1
  weave dns-remove 192.0.2.7 -h printer  this address of this name
  weave dns-remove -h printer            all that this name was added for`,
    )
    .action((words: string[], options: Flags) => removeNames(words, options, context))
}

async function removeNames(
  words: readonly string[],
  options: Flags,
  context: Context,
): Promise<void> {
  const filter = readNameWords(words, options)
  const { name, addresses, container } = filter
  if (name === undefined && addresses.length === 0 && container === undefined) {
    throw badUsage(
      'it is not said what to remove',
      'Give an address, a container, or -h NAME; "weave status dns" lists what was added.',
    )
  }
  requireRoot(context, 'weave dns-remove')
  using router = openRouter(context)
  const { removed } = await router.removeNames(filter, { signal: context.signal })
  if (removed === 0) {
    context.note('weave: nothing was removed: no such name was added on this host')
  }
}
