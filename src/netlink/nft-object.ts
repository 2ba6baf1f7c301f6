/**
 * Tables, chains, rules and sets of nftables, as requests for a batch. All are of the family `ip`.
 *
 * The trap: a name is free of charge, a set needs a number too (by which rules of the same batch could mean it).
 */

import { attribute, bigU32, bigU64, join, nested, text } from './attribute.ts'
import type { Request } from './message.ts'
import { NFNL_SUBSYS_NFTABLES, netfilterHeader } from './nfnetlink.ts'
import type { Expression } from './nft-expression.ts'
import { AF_INET, NLM_F_APPEND, NLM_F_CREATE } from './uapi.ts'

// linux/netfilter/nf_tables.h
const NFT_MSG_NEWTABLE = 0
const NFT_MSG_DELTABLE = 2
const NFT_MSG_NEWCHAIN = 3
const NFT_MSG_NEWRULE = 6
const NFT_MSG_NEWSET = 9
const NFTA_TABLE_NAME = 1
const NFTA_TABLE_FLAGS = 2
const NFT_TABLE_F_OWNER = 2
const NFTA_LIST_ELEM = 1
const NFT_SET_TIMEOUT = 0x10
const NFT_SET_EVAL = 0x20
// linux/netfilter.h
const NF_INET_LOCAL_OUT = 3
/** Ours, of nft: how it shows such a key. */
const ipv4AddressType = 7

/** Whatever is there of that name stays. @param owned only this socket may change it, and it ends with it. */
export function encodeTable(name: string, { owned }: { readonly owned: boolean }): Request {
  const flags = owned ? attribute(NFTA_TABLE_FLAGS, bigU32(NFT_TABLE_F_OWNER)) : undefined
  return request(NFT_MSG_NEWTABLE, {
    flags: NLM_F_CREATE,
    attributes: [attribute(NFTA_TABLE_NAME, text(name)), flags],
    what: `create table ${name}`,
  })
}

/** With all that is in it. `ENOENT` when there is none. */
export function encodeDeleteTable(name: string): Request {
  return request(NFT_MSG_DELTABLE, {
    flags: 0,
    attributes: [attribute(NFTA_TABLE_NAME, text(name))],
    what: `delete table ${name}`,
  })
}

/** Of IPv4 addresses that are forgotten again; rules put them in. */
export function encodeFadingSet(
  table: string,
  options: {
    readonly name: string
    readonly timeoutMs: number
    /** How often those whose time has run out are cleared away; they have no effect before that. */
    readonly sweepMs: number
    readonly size: number
  },
): Request {
  const NFTA_SET_DESC_SIZE = 1
  return request(NFT_MSG_NEWSET, {
    flags: NLM_F_CREATE,
    attributes: [
      attribute(1, text(table)), // NFTA_SET_TABLE
      attribute(2, text(options.name)), // NFTA_SET_NAME
      attribute(3, bigU32(NFT_SET_TIMEOUT | NFT_SET_EVAL)), // NFTA_SET_FLAGS
      attribute(4, bigU32(ipv4AddressType)), // NFTA_SET_KEY_TYPE
      attribute(5, bigU32(4)), // NFTA_SET_KEY_LEN
      nested(9, [attribute(NFTA_SET_DESC_SIZE, bigU32(options.size))]), // NFTA_SET_DESC
      attribute(10, bigU32(1)), // NFTA_SET_ID
      attribute(11, bigU64(BigInt(options.timeoutMs))), // NFTA_SET_TIMEOUT
      attribute(12, bigU32(options.sweepMs)), // NFTA_SET_GC_INTERVAL
    ],
    what: `create set ${options.name}`,
  })
}

/** For what this namespace sends. */
export function encodeOutputChain(
  table: string,
  options: {
    readonly name: string
    readonly type: 'filter' | 'nat'
    readonly priority: number
  },
): Request {
  const [NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY] = [1, 2]
  return request(NFT_MSG_NEWCHAIN, {
    flags: NLM_F_CREATE,
    attributes: [
      attribute(1, text(table)), // NFTA_CHAIN_TABLE
      attribute(3, text(options.name)), // NFTA_CHAIN_NAME
      // NFTA_CHAIN_HOOK
      nested(4, [
        attribute(NFTA_HOOK_HOOKNUM, bigU32(NF_INET_LOCAL_OUT)),
        attribute(NFTA_HOOK_PRIORITY, bigU32(options.priority >>> 0)),
      ]),
      attribute(7, text(options.type)), // NFTA_CHAIN_TYPE
    ],
    what: `create chain ${options.name}`,
  })
}

/** Behind the chain's other rules. */
export function encodeRule(
  table: string,
  { chain, expressions }: { readonly chain: string; readonly expressions: readonly Expression[] },
): Request {
  return request(NFT_MSG_NEWRULE, {
    flags: NLM_F_CREATE | NLM_F_APPEND,
    attributes: [
      attribute(1, text(table)), // NFTA_RULE_TABLE
      attribute(2, text(chain)), // NFTA_RULE_CHAIN
      // NFTA_RULE_EXPRESSIONS
      nested(
        4,
        expressions.map((expression) => nested(NFTA_LIST_ELEM, [expression])),
      ),
    ],
    what: `create rule in ${chain}`,
  })
}

function request(
  type: number,
  options: {
    readonly flags: number
    readonly attributes: readonly (Buffer | undefined)[]
    readonly what: string
  },
): Request {
  return {
    type: (NFNL_SUBSYS_NFTABLES << 8) | type,
    flags: options.flags,
    body: join([netfilterHeader(AF_INET), ...options.attributes]),
    what: options.what,
  }
}
