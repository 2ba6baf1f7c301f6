/**
 * `weave rmpeer HOST…`: gives the addresses of hosts that are gone for good to those that are left.
 *
 * A host that only sleeps keeps its addresses for as long as it takes; so this is a person's
 * decision, and it is refused for a host that is there.
 */

import type { Command } from 'commander'
import type { Context } from './context.ts'
import { requireRoot } from './context.ts'
import { openRouter } from './running.ts'

export function configure(command: Command, context: Context): void {
  command
    .argument('<hosts...>', 'names or IDs, as "weave status ipam" shows them')
    .addHelpText('after', '\nExample:\n  weave rmpeer host3')
    .action((hosts: string[]) => removePeers(hosts, context))
}

async function removePeers(hosts: readonly string[], context: Context): Promise<void> {
  const { print, signal } = context
  requireRoot(context, 'weave rmpeer')
  using router = openRouter(context)
  for (const host of hosts) {
    const { id, blocks, addresses, silent } = await router.removePeer(host, { signal })
    print(`weave: removed ${host} (${id}): ${blocks} blocks, ${addresses} lent addresses are free`)
    if (silent.length === 0) continue
    print(`weave: ${silent.join(', ')} did not answer: run it again when they do`)
  }
}
