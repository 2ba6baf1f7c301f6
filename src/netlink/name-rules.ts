/**
 * Which rules send a container's lookups to us, as long as we live? In nft's words:
 *
 *   table ip weave-dns { flags owner
 *     set alive { type ipv4_addr; flags dynamic,timeout; timeout 4s }
 *     chain queries { type filter hook output priority -300                     before connection tracking, -200
 *       meta mark MARK   ip daddr 127.0.0.11 udp dport UDP  update @alive { ip daddr } drop        our heartbeat
 *       meta mark != MARK  ip daddr @alive   udp dport 53   udp dport set UDP
 *     }
 *     chain answers { type filter hook output priority 100                      after it, and the container's filters
 *                        ip saddr 127.0.0.11 udp sport UDP  udp sport set 53
 *     }
 *     chain connections { type nat hook output priority -110                    before Docker's, -100
 *       meta mark != MARK  ip daddr @alive   tcp dport 53   dnat to 127.0.0.11:TCP
 *     }
 *   }
 *
 * The traps
 *   - Connection tracking remembers where the datagrams of a socket were translated to, and goes on so for as long as
 *     some come, also when the rule that said so has gone. A program that keeps its socket would ask a dead router for
 *     ever, and one that asked Docker first would never find us. UDP is therefore rewritten datagram by datagram, behind
 *     the back of connection tracking; only TCP, whose connections do not outlive their server, is translated by it.
 *   - A container's own filter may want every packet to be tracked: ours are, as a connection to the port that we
 *     listen on. A filter sees the same of Docker's.
 *
 * Invariants
 *   - Docker's resolver can always be reached from a marked socket.
 *   - A heartbeat reaches nobody: that it is dropped tells its sender that these rules are in place.
 */

import { ipBytes, isIpv4 } from '../model/address.ts'
import type { Ipv4 } from '../model/address.ts'
import { bigU16 } from './attribute.ts'
import type { Request } from './message.ts'
import {
  destinationPort,
  drop,
  ipv4Destination,
  ipv4Source,
  matchField,
  matchInSet,
  matchMark,
  matchTransport,
  rewritePort,
  sourcePort,
  translateDestination,
  updateSet,
} from './nft-expression.ts'
import type { Expression } from './nft-expression.ts'
import {
  encodeDeleteTable,
  encodeFadingSet,
  encodeOutputChain,
  encodeRule,
  encodeTable,
} from './nft-object.ts'

/** Where Docker's resolver is asked in every container, of IPv6 only, too. */
export const resolverAddress = ipv4('127.0.0.11')
export const resolverPort = 53
/** Ours: SO_MARK of sockets that the rules let by. */
export const passMark = 0x57656176

const table = 'weave-dns'
const alive = 'alive'
/** Longest silence after which lookups are Docker's again. */
const aliveMs = 4000
const sweepMs = 60_000
/** Room for those that have run out and await the sweep. */
const aliveSize = 64
const [queries, answers, connections] = ['queries', 'answers', 'connections']
/** NF_IP_PRI_RAW; NF_IP_PRI_NAT_SRC; and ahead of NF_IP_PRI_NAT_DST (linux/netfilter_ipv4.h). */
const beforeTracking = -300
const afterFilters = 100
const beforeDocker = -110
/** RFC 1700. */
const TCP = 6
const UDP = 17

const resolver = ipBytes(resolverAddress)
const domain = bigU16(resolverPort)

/** In place of whatever a dead router has left. @param owned kernels before 5.12 cannot: EOPNOTSUPP, EINVAL. */
export function encodeNameRules(options: {
  readonly udpPort: number
  readonly tcpPort: number
  readonly owned: boolean
}): readonly Request[] {
  const port = bigU16(options.udpPort)
  return [
    encodeTable(table, { owned: false }),
    encodeDeleteTable(table),
    encodeTable(table, { owned: options.owned }),
    encodeFadingSet(table, { name: alive, timeoutMs: aliveMs, sweepMs, size: aliveSize }),
    encodeOutputChain(table, { name: queries, type: 'filter', priority: beforeTracking }),
    encodeRule(table, { chain: queries, expressions: heartbeat(port) }),
    encodeRule(table, { chain: queries, expressions: query(port) }),
    encodeOutputChain(table, { name: answers, type: 'filter', priority: afterFilters }),
    encodeRule(table, { chain: answers, expressions: answer(port) }),
    encodeOutputChain(table, { name: connections, type: 'nat', priority: beforeDocker }),
    encodeRule(table, { chain: connections, expressions: connection(bigU16(options.tcpPort)) }),
  ]
}

export function encodeNoNameRules(): readonly Request[] {
  return [encodeDeleteTable(table)]
}

function heartbeat(port: Buffer): readonly Expression[] {
  return [
    ...matchMark(passMark),
    ...matchField(ipv4Destination, resolver),
    ...matchTransport(UDP),
    ...matchField(destinationPort, port),
    ...updateSet(ipv4Destination, alive),
    drop,
  ]
}

function query(port: Buffer): readonly Expression[] {
  return [...matchLookup(UDP), ...rewritePort(destinationPort, port)]
}

function answer(port: Buffer): readonly Expression[] {
  return [
    ...matchField(ipv4Source, resolver),
    ...matchTransport(UDP),
    ...matchField(sourcePort, port),
    ...rewritePort(sourcePort, domain),
  ]
}

function connection(port: Buffer): readonly Expression[] {
  return [...matchLookup(TCP), ...translateDestination(resolver, port)]
}

/** Of the container's, while we are alive. */
function matchLookup(transport: number): readonly Expression[] {
  return [
    ...matchMark(passMark, 'is not'),
    ...matchInSet(ipv4Destination, alive),
    ...matchTransport(transport),
    ...matchField(destinationPort, domain),
  ]
}

function ipv4(text: string): Ipv4 {
  if (isIpv4(text)) return text
  throw new Error(`${text} is no IPv4 address`)
}
