/**
 * A router of this installation, for as long as Docker has none while it packs the new plugin.
 *
 * Packing takes seconds, or a minute on a busy machine; after 30 s without its router the other hosts
 * would take this one for dead, and its containers would lose their connections.
 *
 * Two traps. Without a membership on the disk a router founds a cluster, so this is only for a host on
 * which one has just been running. And where that one ran the store, the stand-in would run it with this
 * host's etcd: a newer one than the plugin's makes the data unreadable for the plugin's. But there it is
 * not needed: nobody is taken for dead by a store that is away.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Status } from '../../control/messages.ts'
import type { Context } from '../context.ts'

const endMs = 10_000

/** @param store of the router that has just been running, if one has. */
export function mayStandIn(store: Status['store']['kind'] | undefined): boolean {
  return store !== undefined && store !== 'managed'
}

/** Starts it; the result ends it, and resolves when it has ended. One that fails is no obstacle. */
export function startStandIn({
  installation,
  env,
}: Pick<Context, 'installation' | 'env'>): () => Promise<void> {
  const [file = '', ...args] = installation.router
  const child = spawn(file, args, { stdio: 'ignore', env })
  const ended = once(child, 'exit').catch(() => [])
  return async () => {
    child.kill('SIGTERM')
    const late = sleep(endMs, 'late', { ref: false })
    if ((await Promise.race([ended, late])) !== 'late') return
    child.kill('SIGKILL')
    await ended
  }
}
