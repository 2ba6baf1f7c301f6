/**
 * Rings when something in this network namespace has changed; what it was, the caller looks up.
 *
 * The trap: a burst of changes overruns the socket's buffer and the kernel drops the rest, saying so
 * once (ENOBUFS). As only "something" is reported, an overrun is one more ring and nothing is lost.
 */

import { u32 } from './attribute.ts'
import { close, receiveNow, setOption, watchReadable } from './libc.ts'
import { SOL_NETLINK, openNetlink } from './socket.ts'

/** linux/rtnetlink.h, enum rtnetlink_groups. */
export const RTNLGRP_LINK = 1
export const RTNLGRP_NEIGH = 3

const NETLINK_ADD_MEMBERSHIP = 1
const datagramBytes = 1 << 16

/** Stops when `signal` aborts. Does not keep the process alive. */
export function watchKernel(
  groups: readonly number[],
  { signal, onChange }: { readonly signal: AbortSignal; readonly onChange: () => void },
): void {
  const fd = openNetlink()
  for (const group of groups) setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, u32(group))
  const buffer = Buffer.allocUnsafeSlow(datagramBytes)
  const watch = watchReadable(fd, () => {
    drain(fd, buffer)
    onChange()
  })
  signal.addEventListener(
    'abort',
    () => {
      watch.stop()
      close(fd)
    },
    { once: true },
  )
}

function drain(fd: number, buffer: Uint8Array): void {
  try {
    while (receiveNow(fd, buffer) !== undefined);
  } catch {
    // An overrun; the ring that follows is all that is needed.
  }
}
