/** A network namespace for one test: made by iproute2, gone with everything in it when disposed. */

import { execFile } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { promisify } from 'node:util'
import { setns } from '../../src/netlink/libc.ts'
import { inNetworkNamespace } from '../../src/netlink/netns.ts'
import { openRouteSocket } from '../../src/netlink/socket.ts'
import type { RouteSocket } from '../../src/netlink/socket.ts'

const exec = promisify(execFile)
const CLONE_NEWNET = 0x40000000

export interface Namespace extends AsyncDisposable {
  readonly name: string
  /** Our own socket, opened inside. */
  readonly socket: RouteSocket
  /** Runs a program inside; its output, or an error when it fails. */
  readonly run: (...command: readonly string[]) => Promise<string>
  /** Whether a program inside succeeds. */
  readonly tries: (...command: readonly string[]) => Promise<boolean>
}

export async function createNamespace(label: string): Promise<Namespace> {
  const name = `test-${process.pid}-${label}`
  await exec('ip', ['netns', 'add', name])
  const socket = inNetworkNamespace(`/run/netns/${name}`, () => openRouteSocket())
  async function run(...command: readonly string[]): Promise<string> {
    const { stdout } = await exec('nsenter', [`--net=/run/netns/${name}`, ...command], {
      timeout: 20_000,
    })
    return stdout
  }
  await run('ip', 'link', 'set', 'lo', 'up')
  let isGone = false
  return {
    name,
    socket,
    run,
    tries: (...command) =>
      run(...command).then(
        () => true,
        () => false,
      ),
    async [Symbol.asyncDispose]() {
      if (isGone) return
      isGone = true
      socket[Symbol.dispose]()
      await exec('ip', ['netns', 'delete', name])
    },
  }
}

/**
 * Moves this thread, and with it every program it starts and every socket it opens, until the function
 * that it gives is called. For code that acts on the namespace it is in, across `await`s.
 */
export function enterNamespace({ name }: Namespace): () => void {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  const away = openSync(`/run/netns/${name}`, 'r')
  setns(away, CLONE_NEWNET)
  closeSync(away)
  return () => {
    setns(home, CLONE_NEWNET)
    closeSync(home)
  }
}
