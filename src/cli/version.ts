/**
 * `weave version`: of this program, and of the router where another one runs.
 *
 * After an upgrade the two differ until the router is started again.
 */

import type { Command } from 'commander'
import type { Context } from './context.ts'

export function configure(command: Command, context: Context): void {
  command.addHelpText('after', '\nExample:\n  weave version').action(() => version(context))
}

async function version(context: Context): Promise<void> {
  const { installation, signal, print } = context
  print(`weave ${installation.version}`)
  const { openRouter, statusIfRunning } = await import('./running.ts')
  using router = openRouter(context)
  const status = await statusIfRunning(router, signal).catch(() => undefined)
  if (status !== undefined) print(`router ${status.version}`)
}
