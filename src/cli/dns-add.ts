/** `weave dns-add [IP…] [CONTAINER] -h NAME`: adds a name by hand. Says nothing when it is done. */

import type { Command } from 'commander'
import { badUsage } from '../model/faults.ts'
import type { Flags } from '../settings/flags.ts'
import type { Context } from './context.ts'
import { requireRoot } from './context.ts'
import { addNameOptions, readNameWords } from './name-words.ts'
import { openRouter } from './running.ts'

export function configure(command: Command, context: Context): void {
  addNameOptions(command, 'say it on this network only, by its Docker name or ID (default: on all)')
    .addHelpText(
      'after',
      `
Examples:
  weave dns-add web1 -h www             one more name of container web1
  weave dns-add 192.0.2.7 -h printer    an address outside, until it is removed
  weave dns-add 10.32.0.99 web1 -h vip  an address, while container web1 runs`,
    )
    .action((words: string[], options: Flags) => addName(words, options, context))
}

async function addName(words: readonly string[], options: Flags, context: Context): Promise<void> {
  const { name, ...place } = readNameWords(words, options)
  const { addresses, container } = place
  if (addresses.length === 0 && container === undefined) {
    throw badUsage(
      'neither an address nor a container is given',
      `Type "weave dns-add IP -h ${name ?? 'NAME'}" or "weave dns-add CONTAINER -h ${name ?? 'NAME'}".`,
    )
  }
  if (name === undefined) {
    throw badUsage(
      'no name is given',
      `A container's own names are known already. Type "weave dns-add ${words.join(' ')} -h NAME".`,
    )
  }
  requireRoot(context, 'weave dns-add')
  using router = openRouter(context)
  await router.addName({ name, ...place }, { signal: context.signal })
}
