/**
 * `weave dns-args`: what to give `docker run` so that a container's very first lookup comes to this host's
 * router, on engines that start a container before anybody can be in its network namespace (up to 27).
 * Elsewhere it does no harm. Prints nothing where there is nothing to give, so that it can stand in a
 * command line.
 */

import type { Command } from 'commander'
import type { Context } from './context.ts'
import { openRouter } from './running.ts'

export function configure(command: Command, context: Context): void {
  command
    .addHelpText('after', '\nExamples:\n  weave dns-args\n  docker run $(weave dns-args) …')
    .action(() => dnsArgs(context))
}

async function dnsArgs(context: Context): Promise<void> {
  const { print, note, signal } = context
  using router = openRouter(context)
  const { dns } = await router.status({ signal })
  if (dns.args !== '') {
    print(dns.args)
    return
  }
  note(
    dns.on
      ? 'weave: no flags: there is no address yet at which containers could ask this host'
      : 'weave: no flags: names are left to Docker here',
  )
}
