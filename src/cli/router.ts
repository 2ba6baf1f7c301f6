/**
 * `weave router` as it stands in the help. The installed `weave` starts the router directly.
 */

import type { Command } from 'commander'
import type { Flags } from '../settings/flags.ts'
import { addLaunchOptions, launchFlags, readLaunchOptions } from '../settings/launch.ts'
import type { Context } from './context.ts'
import { runInForeground } from './foreground.ts'

export function configure(command: Command, context: Context): void {
  addLaunchOptions(command.argument('[peer...]', 'as for "weave launch"'))
    .option('--prepare', 'check the flags, find the store, keep the settings; start nothing')
    .option('--reset', 'remove all that a router of this host left; start nothing')
    .addHelpText(
      'after',
      `
Without flags it goes on with the settings of the last launch.

Example:
  weave router --log-level=debug host1`,
    )
    .action(async (peers: string[], options: Flags, self: Command) => {
      const settings = readLaunchOptions(options, peers)
      const modes = ['prepare', 'reset'].filter((mode) => options[mode] === true)
      const isPlain = self.parent?.args.length === 1
      const flags = isPlain ? [] : [...modes.map((mode) => `--${mode}`), ...launchFlags(settings)]
      context.exitWith(await runInForeground([...context.installation.router, ...flags], context))
    })
}
