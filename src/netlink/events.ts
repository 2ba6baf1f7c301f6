/**
 * Tells which links something has happened to in this network namespace; what it was, the caller
 * looks up.
 *
 * The trap: a burst of changes overruns the socket's buffer and the kernel drops the rest, saying so
 * once (ENOBUFS). Then it could have been any link, which is what is reported.
 */

import { u32 } from './attribute.ts'
import { close, receiveNow, setOption, watchReadable } from './libc.ts'
import { decodeMessages } from './message.ts'
import { SOL_NETLINK, openNetlink } from './socket.ts'

/** linux/rtnetlink.h, enum rtnetlink_groups. */
export const RTNLGRP_LINK = 1
export const RTNLGRP_NEIGH = 3

const NETLINK_ADD_MEMBERSHIP = 1
const datagramBytes = 1 << 16

/** Indexes of links; `any` when the kernel could not tell us all. */
export type ChangedLinks = ReadonlySet<number> | 'any'

/** Of the index in both struct ifinfomsg and struct ndmsg. */
const indexOffset = 4

/** Stops when `signal` aborts. Does not keep the process alive. */
export function watchKernel(
  groups: readonly number[],
  {
    signal,
    onChange,
  }: { readonly signal: AbortSignal; readonly onChange: (links: ChangedLinks) => void },
): void {
  if (signal.aborted) return
  const fd = openMember(groups)
  const buffer = Buffer.allocUnsafeSlow(datagramBytes)
  const watch = watchReadable(fd, () => {
    onChange(drain(fd, buffer))
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

function openMember(groups: readonly number[]): number {
  const fd = openNetlink()
  try {
    for (const group of groups) setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, u32(group))
    return fd
  } catch (error) {
    close(fd)
    throw error
  }
}

function drain(fd: number, buffer: Buffer): ChangedLinks {
  const links = new Set<number>()
  try {
    for (;;) {
      const length = receiveNow(fd, buffer)
      if (length === undefined) return links
      for (const { body } of decodeMessages(buffer.subarray(0, length))) {
        if (body.length >= indexOffset + 4) links.add(body.readInt32LE(indexOffset))
      }
    }
  } catch {
    return 'any'
  }
}
