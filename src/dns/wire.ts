/**
 * Which numbers does the DNS protocol use? Those of IANA's "Domain Name System (DNS) Parameters",
 * and the layout of a message's head.
 *
 *   0    2       4        6        8        10       12
 *   id   flags   QDCOUNT  ANCOUNT  NSCOUNT  ARCOUNT  sections …
 *
 *   flags   QR opcode(4) AA TC RD  RA Z AD CD rcode(4)
 */

export const headBytes = 12

export const recordType = { A: 1, SOA: 6, PTR: 12, AAAA: 28, OPT: 41, ANY: 255 } as const
export const classIn = 1

export const rcode = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  /** Extended (RFC 6891): its upper bits travel in the OPT record. */
  badVers: 16,
} as const

export const flag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  checkingDisabled: 0x0010,
} as const

export const opcodeMask = 0x7800
export const rcodeMask = 0x000f

/** What every UDP client can take (RFC 1035), and the least that EDNS may announce (RFC 6891). */
export const plainUdpBytes = 512
/** Two bytes of length before each message on TCP leave this much. */
export const tcpMessageBytes = 65_535
