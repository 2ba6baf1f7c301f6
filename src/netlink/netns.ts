/**
 * Runs a function inside another network namespace: what it opens there stays there.
 *
 * The trap: a namespace belongs to the thread. The function must be synchronous, for whatever runs
 * after an `await` would find the thread back home, or worse, strand other code abroad.
 */

import { closeSync, fstatSync, openSync } from 'node:fs'
import { setns } from './libc.ts'

/** linux/sched.h */
const CLONE_NEWNET = 0x40000000

/** Kept open, it is the same one whatever its path leads to by now; and it lives until it is closed. */
export interface NetworkNamespace extends Disposable {
  /** Tells whether another path leads here. Used again when the namespace is no more. */
  readonly inode: bigint
  readonly run: <T>(run: () => T) => T
}

/**
 * @param path a namespace file: `/run/netns/NAME`, `/proc/PID/ns/net`, Docker's SandboxKey.
 * @throws Node's `ENOENT` when the file has gone.
 */
export function openNetworkNamespace(path: string): NetworkNamespace {
  const fd = openSync(path, 'r')
  return {
    inode: fstatSync(fd, { bigint: true }).ino,
    run: (run) => runIn(fd, run),
    [Symbol.dispose]: () => closeSync(fd),
  }
}

/**
 * @param path as for `openNetworkNamespace`.
 * @throws NetlinkError `EPERM` without CAP_SYS_ADMIN, `EINVAL` when it is another kind of file; Node's `ENOENT`
 * when it has gone.
 */
export function inNetworkNamespace<T>(path: string, run: () => T): T {
  using namespace = openNetworkNamespace(path)
  return namespace.run(run)
}

function runIn<T>(away: number, run: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  try {
    setns(away, CLONE_NEWNET)
    try {
      return run()
    } finally {
      goHome(home)
    }
  } finally {
    closeSync(home)
  }
}

/** A thread that cannot come home would configure the wrong machine from now on. */
function goHome(home: number): void {
  try {
    setns(home, CLONE_NEWNET)
  } catch {
    process.abort()
  }
}
