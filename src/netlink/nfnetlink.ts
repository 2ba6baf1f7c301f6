/**
 * Batches: how nftables is told several things that become true together, or not at all.
 *
 *   begin, request, request, …, end        one datagram
 *
 *   struct nfgenmsg (linux/netfilter/nfnetlink.h), before the attributes of each message
 *   0        1         2
 *   family   version   subsystem (of begin and end; big-endian)
 *
 * The traps: the kernel goes on after a refused request, so that a later one may be acknowledged although nothing of
 * the batch has come about; and what goes wrong at the very end is told of "begin". All of it lies ready when
 * `send` returns: nobody has to wait for answers, and nobody must, for a success has only the one that was asked for.
 */

import { NetlinkError } from './errors.ts'
import { receiveNow, sendNow } from './libc.ts'
import {
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  decodeMessages,
  decodeOutcome,
  encodeMessages,
} from './message.ts'
import type { Request } from './message.ts'

/** linux/netfilter/nfnetlink.h */
export const NFNL_SUBSYS_NFTABLES = 10
const NFNL_MSG_BATCH_BEGIN = 0x10
const NFNL_MSG_BATCH_END = 0x11

/** Ours: an answer repeats at most one request, and has some words. */
const answerBytes = 1 << 13

export function netfilterHeader(family: number, subsystem = 0): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt8(family, 0)
  bytes.writeUInt16BE(subsystem, 2)
  return bytes
}

export function encodeBatch(requests: readonly Request[]): Buffer {
  const body = netfilterHeader(0, NFNL_SUBSYS_NFTABLES)
  const last = requests.length - 1
  const acknowledged = requests.map((request, index) =>
    index === last ? { ...request, flags: request.flags | NLM_F_ACK } : request,
  )
  return encodeMessages(
    [
      { type: NFNL_MSG_BATCH_BEGIN, flags: 0, body, what: 'begin' },
      ...acknowledged,
      { type: NFNL_MSG_BATCH_END, flags: 0, body, what: 'end' },
    ],
    { sequence: 0, flags: NLM_F_REQUEST },
  )
}

/**
 * On the calling thread, for less than a millisecond.
 * @returns the first refusal; undefined when all of it is true now.
 */
export function commitBatch(fd: number, requests: readonly Request[]): NetlinkError | undefined {
  const errno = sendNow(fd, encodeBatch(requests))
  return errno === 0 ? readOutcome(fd, requests) : new NetlinkError('send', errno)
}

function readOutcome(fd: number, requests: readonly Request[]): NetlinkError | undefined {
  const buffer = Buffer.alloc(answerBytes)
  let [answers, refusal]: [number, NetlinkError | undefined] = [0, undefined]
  for (;;) {
    const length = receiveNow(fd, buffer)
    if (length === undefined) break
    for (const message of decodeMessages(buffer.subarray(0, length))) {
      if (message.type !== NLMSG_ERROR) continue
      answers += 1
      refusal ??= decodeOutcome(message, requests[message.sequence - 1]?.what ?? 'commit')
    }
  }
  if (answers === 0) throw new Error('nftables did not answer')
  return refusal
}
