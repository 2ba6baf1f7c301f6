/**
 * `weave plugin` as it stands in the help. The installed `weave` starts the plugin directly.
 */

import type { Command } from 'commander'
import type { Flags } from '../settings/flags.ts'
import { addPluginOptions, pluginFlags, readPluginOptions } from '../settings/plugin.ts'
import type { Context } from './context.ts'
import { runInForeground } from './foreground.ts'

export function configure(command: Command, context: Context): void {
  addPluginOptions(command)
    .addHelpText('after', '\nExample:\n  weave plugin --log-level=debug')
    .action(async (options: Flags) => {
      const flags = pluginFlags(readPluginOptions(options))
      context.exitWith(await runInForeground([...context.installation.plugin, ...flags], context))
    })
}
