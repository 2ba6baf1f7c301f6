/**
 * Messages: what is sent to and comes back from a netlink socket, many in one datagram.
 *
 *   struct nlmsghdr (linux/netlink.h)
 *   0        4      6       8          12     16
 *   length   type   flags   sequence   port   body … padding to a multiple of 4
 *
 * The kernel answers every request with an acknowledgement that carries its sequence number, in the
 * order of the requests; a failed one does not stop those behind it.
 */

import { aligned, readAttributes, readText } from './attribute.ts'
import { NetlinkError } from './errors.ts'

/** One thing to ask of the kernel; `NLM_F_REQUEST` and the like are added when it is sent. */
export interface Request {
  /** RTM_…, or NFNL_… and NFT_MSG_… */
  readonly type: number
  /** NLM_F_CREATE and its kin. */
  readonly flags: number
  readonly body: Uint8Array
  /** The action in words, for the error: `create bridge wvb000001`. */
  readonly what: string
}

export interface Message {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly body: Buffer
}

// linux/netlink.h
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3
export const NLM_F_REQUEST = 0x01
export const NLM_F_ACK = 0x04
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_DUMP = 0x300
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200
const NLMSGERR_ATTR_MSG = 1

const headerBytes = 16
/** An acknowledgement's body: the error number, then the header of the request. */
const ackBytes = 4 + headerBytes

/** Puts requests one behind the other; the first gets `sequence`, each further one the next number. */
export function encodeMessages(
  requests: readonly Request[],
  { sequence, flags }: { readonly sequence: number; readonly flags: number },
): Buffer {
  const lengths = requests.map(({ body }) => headerBytes + body.length)
  const datagram = Buffer.alloc(lengths.reduce((sum, length) => sum + aligned(length), 0))
  let at = 0
  for (const [index, request] of requests.entries()) {
    const length = headerBytes + request.body.length
    datagram.writeUInt32LE(length, at)
    datagram.writeUInt16LE(request.type, at + 4)
    datagram.writeUInt16LE(request.flags | flags, at + 6)
    datagram.writeUInt32LE((sequence + index) >>> 0, at + 8)
    datagram.set(request.body, at + headerBytes)
    at += aligned(length)
  }
  return datagram
}

export function decodeMessages(datagram: Buffer): readonly Message[] {
  const messages: Message[] = []
  let at = 0
  while (at + headerBytes <= datagram.length) {
    const length = datagram.readUInt32LE(at)
    if (length < headerBytes || at + length > datagram.length) break
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + headerBytes, at + length),
    })
    at += aligned(length)
  }
  return messages
}

/** Undefined for a success. Takes NLMSG_ERROR (the acknowledgement) and NLMSG_DONE (end of a dump). */
export function decodeOutcome(message: Message, what: string): NetlinkError | undefined {
  const { body, flags, type } = message
  const errno = body.length < 4 ? 0 : -body.readInt32LE()
  if (errno <= 0) return undefined
  if ((flags & NLM_F_ACK_TLVS) === 0) return new NetlinkError(what, errno)
  const attributes = readAttributes(body, type === NLMSG_DONE ? 4 : detailOffset(body, flags))
  return new NetlinkError(what, errno, readText(attributes, NLMSGERR_ATTR_MSG))
}

/** The kernel's words come behind the request, which it repeats in full unless told not to. */
function detailOffset(body: Buffer, flags: number): number {
  if ((flags & NLM_F_CAPPED) !== 0 || body.length < ackBytes) return ackBytes
  return 4 + aligned(body.readUInt32LE(4))
}
