/**
 * Runs a function inside another network namespace: what it opens there stays there.
 *
 * The trap: a namespace belongs to the thread. The function must be synchronous, for whatever runs
 * after an `await` would find the thread back home, or worse, strand other code abroad.
 */

import { closeSync, openSync } from 'node:fs'
import { setns } from './libc.ts'

/** linux/sched.h */
const CLONE_NEWNET = 0x40000000

/**
 * @param path a namespace file: `/run/netns/NAME`, `/proc/PID/ns/net`, Docker's SandboxKey.
 * @throws NetlinkError `EPERM` without CAP_SYS_ADMIN; Node's `ENOENT` when the file has gone.
 */
export function inNetworkNamespace<T>(path: string, run: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  try {
    const away = openSync(path, 'r')
    try {
      setns(away, CLONE_NEWNET)
    } finally {
      closeSync(away)
    }
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
