/**
 * Expressions: the instructions that a rule of nftables consists of. They are carried out in order; one that does not
 * match ends the rule. Values go from one to the next in registers.
 *
 * The trap: a register holds bytes as they are in the packet. What is compared with a packet's bytes is big-endian;
 * what is compared with a number of the kernel's own, such as a mark, is in host order.
 */

import { attribute, bigU32, join, nested, text, u32, u8 } from './attribute.ts'

// linux/netfilter/nf_tables.h
const NFTA_EXPR_NAME = 1
const NFTA_EXPR_DATA = 2
const NFTA_DATA_VALUE = 1
const NFTA_DATA_VERDICT = 2
const NFTA_VERDICT_CODE = 1
const NFT_REG_VERDICT = 0
const NFT_META_MARK = 3
const NFT_META_L4PROTO = 16
const NFT_PAYLOAD_NETWORK_HEADER = 1
const NFT_PAYLOAD_TRANSPORT_HEADER = 2
const NFT_PAYLOAD_CSUM_INET = 1
const NFT_CMP_EQ = 0
const NFT_CMP_NEQ = 1
const NFT_DYNSET_OP_UPDATE = 1
const NFT_NAT_DNAT = 1
// linux/netfilter.h
const NF_DROP = 0
const NFPROTO_IPV4 = 2

/** NFT_REG_1 and NFT_REG_2; nobody needs more. */
const first = 1
const second = 2

export type Expression = Buffer

/** Where a value lies in a packet. */
export interface Field {
  readonly base: 'network' | 'transport'
  readonly offset: number
  readonly bytes: number
}

export const ipv4Source: Field = { base: 'network', offset: 12, bytes: 4 }
export const ipv4Destination: Field = { base: 'network', offset: 16, bytes: 4 }
export const sourcePort: Field = { base: 'transport', offset: 0, bytes: 2 }
export const destinationPort: Field = { base: 'transport', offset: 2, bytes: 2 }
const udpChecksumOffset = 6

export function matchMark(mark: number, sense: 'is' | 'is not' = 'is'): readonly Expression[] {
  return [loadMeta(NFT_META_MARK), compare(u32(mark), sense)]
}

export function matchTransport(protocol: number): readonly Expression[] {
  return [loadMeta(NFT_META_L4PROTO), compare(u8(protocol), 'is')]
}

/** @param value as it is in the packet. */
export function matchField(field: Field, value: Uint8Array): readonly Expression[] {
  return [loadField(field), compare(value, 'is')]
}

export function matchInSet(field: Field, set: string): readonly Expression[] {
  const [NFTA_LOOKUP_SET, NFTA_LOOKUP_SREG] = [1, 2]
  const members = [
    attribute(NFTA_LOOKUP_SET, text(set)),
    attribute(NFTA_LOOKUP_SREG, bigU32(first)),
  ]
  return [loadField(field), expression('lookup', members)]
}

/** Adds the field's value to the set, or begins its time-out anew. */
export function updateSet(field: Field, set: string): readonly Expression[] {
  const [NFTA_DYNSET_SET_NAME, NFTA_DYNSET_OP, NFTA_DYNSET_SREG_KEY] = [1, 3, 4]
  return [
    loadField(field),
    expression('dynset', [
      attribute(NFTA_DYNSET_SET_NAME, text(set)),
      attribute(NFTA_DYNSET_OP, bigU32(NFT_DYNSET_OP_UPDATE)),
      attribute(NFTA_DYNSET_SREG_KEY, bigU32(first)),
    ]),
  ]
}

export const drop: Expression = immediate(
  NFT_REG_VERDICT,
  nested(NFTA_DATA_VERDICT, [attribute(NFTA_VERDICT_CODE, bigU32(NF_DROP))]),
)

/** Of a UDP packet; its checksum follows. */
export function rewritePort({ offset, bytes }: Field, value: Uint8Array): readonly Expression[] {
  const NFTA_PAYLOAD_SREG = 5
  return [
    immediate(first, attribute(NFTA_DATA_VALUE, value)),
    expression('payload', [
      attribute(NFTA_PAYLOAD_SREG, bigU32(first)),
      ...location(NFT_PAYLOAD_TRANSPORT_HEADER, { offset, bytes }),
      attribute(6, bigU32(NFT_PAYLOAD_CSUM_INET)), // NFTA_PAYLOAD_CSUM_TYPE
      attribute(7, bigU32(udpChecksumOffset)), // NFTA_PAYLOAD_CSUM_OFFSET
      attribute(8, bigU32(0)), // NFTA_PAYLOAD_CSUM_FLAGS
    ]),
  ]
}

/** Of the whole connection that the packet begins. Only in chains of type `nat`. */
export function translateDestination(address: Uint8Array, port: Uint8Array): readonly Expression[] {
  return [
    immediate(first, attribute(NFTA_DATA_VALUE, address)),
    immediate(second, attribute(NFTA_DATA_VALUE, port)),
    expression('nat', [
      attribute(1, bigU32(NFT_NAT_DNAT)), // NFTA_NAT_TYPE
      attribute(2, bigU32(NFPROTO_IPV4)), // NFTA_NAT_FAMILY
      attribute(3, bigU32(first)), // NFTA_NAT_REG_ADDR_MIN
      attribute(5, bigU32(second)), // NFTA_NAT_REG_PROTO_MIN
    ]),
  ]
}

function loadMeta(key: number): Expression {
  const [NFTA_META_DREG, NFTA_META_KEY] = [1, 2]
  return expression('meta', [
    attribute(NFTA_META_KEY, bigU32(key)),
    attribute(NFTA_META_DREG, bigU32(first)),
  ])
}

function loadField({ base, offset, bytes }: Field): Expression {
  const NFTA_PAYLOAD_DREG = 1
  const header = base === 'network' ? NFT_PAYLOAD_NETWORK_HEADER : NFT_PAYLOAD_TRANSPORT_HEADER
  return expression('payload', [
    attribute(NFTA_PAYLOAD_DREG, bigU32(first)),
    ...location(header, { offset, bytes }),
  ])
}

function location(
  header: number,
  { offset, bytes }: { readonly offset: number; readonly bytes: number },
): readonly Buffer[] {
  const [NFTA_PAYLOAD_BASE, NFTA_PAYLOAD_OFFSET, NFTA_PAYLOAD_LEN] = [2, 3, 4]
  return [
    attribute(NFTA_PAYLOAD_BASE, bigU32(header)),
    attribute(NFTA_PAYLOAD_OFFSET, bigU32(offset)),
    attribute(NFTA_PAYLOAD_LEN, bigU32(bytes)),
  ]
}

function compare(value: Uint8Array, sense: 'is' | 'is not'): Expression {
  const [NFTA_CMP_SREG, NFTA_CMP_OP, NFTA_CMP_DATA] = [1, 2, 3]
  return expression('cmp', [
    attribute(NFTA_CMP_SREG, bigU32(first)),
    attribute(NFTA_CMP_OP, bigU32(sense === 'is' ? NFT_CMP_EQ : NFT_CMP_NEQ)),
    nested(NFTA_CMP_DATA, [attribute(NFTA_DATA_VALUE, value)]),
  ])
}

function immediate(register: number, data: Buffer): Expression {
  const [NFTA_IMMEDIATE_DREG, NFTA_IMMEDIATE_DATA] = [1, 2]
  return expression('immediate', [
    attribute(NFTA_IMMEDIATE_DREG, bigU32(register)),
    nested(NFTA_IMMEDIATE_DATA, [data]),
  ])
}

function expression(name: string, attributes: readonly Buffer[]): Expression {
  return join([attribute(NFTA_EXPR_NAME, text(name)), nested(NFTA_EXPR_DATA, attributes)])
}
