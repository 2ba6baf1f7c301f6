/**
 * Question and answer on one route socket: sends a datagram, and reads until it is fully answered.
 *
 *   requests   ──▶  one acknowledgement each (an error number, zero for success)
 *   question   ──▶  answers, then an acknowledgement
 *   dump       ──▶  parts, made while they are read, then "done"
 *
 * Invariant: one exchange at a time per socket; the caller sees to it. Leftovers of one that failed
 * half-way carry older sequence numbers and are passed over.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { NetlinkError } from './errors.ts'
import { receiveAsync, receiveNow, sendAsync } from './libc.ts'
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  decodeMessages,
  decodeOutcome,
  encodeMessages,
} from './message.ts'
import type { Message, Request } from './message.ts'

export interface Exchange {
  /** For each request its error, or undefined for success. */
  readonly transact: (
    requests: readonly Request[],
  ) => Promise<readonly (NetlinkError | undefined)[]>
  readonly question: (request: Request) => Promise<readonly Buffer[]>
  /** The whole list as it was at one moment; read again when it changed meanwhile. */
  readonly list: (request: Request) => Promise<readonly Buffer[]>
}

interface Answers {
  readonly bodies: readonly Buffer[]
  /** The kernel noticed that the list changed while it was being read. */
  readonly torn: boolean
}

/** asm-generic/errno-base.h */
const EINTR = 4
/** Ours: the kernel sends parts of at most 32 KiB, more only for one message that needs it. */
const datagramBytes = 1 << 18
const listAttempts = 20
const longestPauseMs = 200

export function createExchange(fd: number): Exchange {
  const wire = createWire(fd)
  return {
    transact: async (requests) => await transact(wire, requests),
    async question(request) {
      const { bodies } = await collect(wire, request, NLM_F_REQUEST | NLM_F_ACK)
      return bodies
    },
    async list(request) {
      for (let attempt = 1; attempt <= listAttempts; attempt += 1) {
        const { bodies, torn } = await collect(wire, request, NLM_F_REQUEST | NLM_F_DUMP)
        if (!torn) return bodies
        await sleep(pauseMs(attempt))
      }
      throw new NetlinkError(request.what, EINTR, `changed during all ${listAttempts} readings`)
    },
  }
}

/** The socket with its counter and its buffer. */
interface Wire {
  /** Resolves with the first request's sequence number once the kernel has dealt with all of them. */
  readonly send: (requests: readonly Request[], flags: number) => Promise<number>
  /** `queued`: what must be there by now. `produced`: what the kernel takes a while to put together. */
  readonly receive: (mode: 'queued' | 'produced') => Promise<readonly Message[]>
}

function createWire(fd: number): Wire {
  const buffer = Buffer.allocUnsafeSlow(datagramBytes)
  let sequence = 1
  return {
    async send(requests, flags) {
      const first = sequence
      sequence = (sequence + requests.length) >>> 0
      await sendAsync(fd, encodeMessages(requests, { sequence: first, flags }))
      return first
    },
    async receive(mode) {
      const queued = mode === 'queued' ? receiveNow(fd, buffer) : undefined
      const length = queued ?? (await receiveAsync(fd, buffer))
      if (length > buffer.length) throw new Error(`netlink datagram of ${length} bytes was cut`)
      // Copied, for the buffer is used again.
      return decodeMessages(Buffer.from(buffer.subarray(0, length)))
    },
  }
}

async function transact(
  { send, receive }: Wire,
  requests: readonly Request[],
): Promise<readonly (NetlinkError | undefined)[]> {
  const first = await send(requests, NLM_F_REQUEST | NLM_F_ACK)
  const outcomes: (NetlinkError | undefined)[] = []
  while (outcomes.length < requests.length) {
    for (const message of await receive('queued')) {
      const request = requests[message.sequence - first]
      if (message.type !== NLMSG_ERROR || request === undefined) continue
      outcomes.push(decodeOutcome(message, request.what))
    }
  }
  return outcomes
}

async function collect({ send, receive }: Wire, request: Request, flags: number): Promise<Answers> {
  const first = await send([request], flags)
  const answers: Message[] = []
  for (;;) {
    const messages = await receive('produced')
    answers.push(...messages.filter(({ sequence }) => sequence === first))
    const last = answers.at(-1)
    if (last === undefined || !isEnd(last)) continue
    const error = decodeOutcome(last, request.what)
    if (error !== undefined) throw error
    return {
      bodies: answers.slice(0, -1).map(({ body }) => body),
      torn: answers.some((answer) => (answer.flags & NLM_F_DUMP_INTR) !== 0),
    }
  }
}

/** After the nth torn reading: whoever makes or removes many links is given time to finish. */
function pauseMs(attempt: number): number {
  return Math.min(longestPauseMs, 2 ** (attempt - 1))
}

function isEnd({ type }: Message): boolean {
  return type === NLMSG_DONE || type === NLMSG_ERROR
}
