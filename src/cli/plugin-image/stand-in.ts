/**
 * A router for as long as Docker has none while it packs the new plugin.
 *
 * Packing takes seconds, or a minute on a busy machine; after 30 s without its router the other hosts
 * would take this one for dead, and its containers would lose their connections.
 *
 * Three traps. Without a membership on the disk a router founds a cluster, so this is only for a host on
 * which one has just been running. The host's own nft and etcd may be newer than the plugin's, which then
 * understands neither their tables nor their data: so the stand-in runs in the unpacked root file system
 * of the new plugin. And where the old router ran the store, none is needed: nobody is taken for dead by
 * a store that is away.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Status } from '../../control/messages.ts'

const endMs = 10_000
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** The mounts are in a namespace of its own, and end with it. */
const enter = `set -e
cd "$1"
for place in proc sys dev run var/lib; do mount --rbind "/$place" "$place"; done
exec chroot . /usr/local/bin/weave router`

/** @param store of the router that has just been running, if one has. */
export function mayStandIn(store: Status['store']['kind'] | undefined): boolean {
  return store !== undefined && store !== 'managed'
}

/** The program to start, on what the image was unpacked to. */
export function standInOn(rootfs: string): readonly string[] {
  return ['unshare', '--mount', '--propagation=private', 'sh', '-c', enter, 'stand-in', rootfs]
}

/** Starts it; the result ends it, and resolves when it has ended. One that fails is no obstacle. */
export function startStandIn([file = '', ...args]: readonly string[]): () => Promise<void> {
  const child = spawn(file, args, { stdio: 'ignore', env: { PATH: searchPath } })
  const ended = once(child, 'exit').catch(() => [])
  return async () => {
    child.kill('SIGTERM')
    const late = sleep(endMs, 'late', { ref: false })
    if ((await Promise.race([ended, late])) !== 'late') return
    child.kill('SIGKILL')
    await ended
  }
}
