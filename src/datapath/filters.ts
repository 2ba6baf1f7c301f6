/**
 * Decides what the host's packet filters should say about our traffic.
 *
 *   denied (nftables, our own tables)                           why
 *   VXLAN that does not come from a host of the cluster         forged frames into any network
 *   VXLAN and our TCP ports, arriving from containers           the same through NAT, and our API
 *   frames from a network's ports to the host itself            a bridge is no way into the host
 *
 *   not tracked (nftables)
 *   VXLAN, and frames that cross our bridges                    a table entry for each flow, twice, for nothing
 *
 *   accepted (iptables, chain WEAVE-FORWARD)
 *   what goes from one of our bridges to the same kind          Docker's FORWARD may drop the rest
 *
 * The trap: an accept in one table does not overrule a drop in another, so what must be allowed has
 * to stand in iptables, whose policy Docker sets to DROP; what must be denied can stand anywhere.
 *
 * Rules match interfaces by prefix and hosts by a set, so they do not change with networks. What
 * this host itself sends passes neither INPUT nor FORWARD and is never touched.
 *
 * Pure: text in, text out. nft lists rules in a layout of its own, so "still as we left it" is told by
 * comparing with what it listed right after we had loaded them.
 */

import { isIpv4 } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import { bridgePrefix, hostEndPrefix, linkPrefix, tunnelPrefix } from './names.ts'

export interface DesiredFilters {
  /** UDP, VXLAN. */
  readonly dataPort: number
  /** TCP: control, and the managed store. */
  readonly controlPorts: readonly number[]
  /** Underlay addresses of all hosts of the cluster. */
  readonly hosts: readonly IpAddress[]
}

export interface ActualFilters {
  /** Our nftables tables as nft lists them; undefined when one is missing. */
  readonly tables: string | undefined
  /** What was loaded last and how nft listed it then; undefined when we have not loaded any yet. */
  readonly loaded: { readonly ruleset: string; readonly tables: string | undefined } | undefined
  /** By command (`iptables`, `ip6tables`, …), as `-S` lists the filter table. */
  readonly accepts: ReadonlyMap<string, string>
}

export type FilterStep =
  | { readonly kind: 'load-tables'; readonly ruleset: string }
  /** Input for `iptables-restore --noflush` and its like. */
  | { readonly kind: 'restore-accept'; readonly command: string; readonly rules: string }

/** Interfaces behind which containers are: Docker's bridges, by the names Docker gives them. */
const fromContainers = `iifname { "docker0", "docker_gwbridge", "br-*", "${linkPrefix}*" }`

export const acceptChain = 'WEAVE-FORWARD'
const jump = `-A FORWARD -j ${acceptChain}`
/** With iptables' wildcard for "every bridge of ours". */
const accept = `-A ${acceptChain} -i ${bridgePrefix}+ -o ${bridgePrefix}+ -j ACCEPT`

export function planFilters(desired: DesiredFilters, actual: ActualFilters): readonly FilterStep[] {
  const ruleset = renderRuleset(desired)
  const { tables, loaded, accepts } = actual
  const isLoaded = loaded?.ruleset === ruleset && loaded.tables === tables && tables !== undefined
  return [
    ...(isLoaded ? [] : [{ kind: 'load-tables', ruleset } as const]),
    ...[...accepts].flatMap(([command, listed]) => planAccept(command, listed.split('\n'))),
  ]
}

/** Our chain is made anew with its one rule, in one transaction, and jumped to from the top once. */
function planAccept(command: string, lines: readonly string[]): FilterStep[] {
  const own = lines.filter((line) => line.startsWith(`-A ${acceptChain} `))
  const isRight = own.length === 1 && own[0] === accept
  const jumps = lines.includes(jump)
  if (isRight && jumps) return []
  const insert = jumps ? '' : `-I FORWARD -j ${acceptChain}\n`
  const rules = `*filter\n:${acceptChain} - [0:0]\n${accept}\n${insert}COMMIT\n`
  return [{ kind: 'restore-accept', command, rules }]
}

/** One nft transaction: the old tables are replaced without a moment in which nothing is denied. */
export function renderRuleset({ dataPort, controlPorts, hosts }: DesiredFilters): string {
  const ports = [...controlPorts].toSorted((a, b) => a - b).join(', ')
  return `table inet weave
delete table inet weave
table inet weave {
  set hosts4 { type ipv4_addr; ${elements(hosts.filter(isIpv4))} }
  set hosts6 { type ipv6_addr; ${elements(hosts.filter((host) => !isIpv4(host)))} }
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    udp dport ${dataPort} notrack
    iifname "${bridgePrefix}*" notrack
  }
  chain output {
    type filter hook output priority raw; policy accept;
    udp dport ${dataPort} notrack
  }
  chain input {
    type filter hook input priority filter - 5; policy accept;
    ${fromContainers} udp dport ${dataPort} drop
    ${fromContainers} tcp dport { ${ports} } drop
    udp dport ${dataPort} meta nfproto ipv4 ip saddr != @hosts4 drop
    udp dport ${dataPort} meta nfproto ipv6 ip6 saddr != @hosts6 drop
  }
  chain forward {
    type filter hook forward priority filter - 5; policy accept;
    ${fromContainers} ip daddr @hosts4 udp dport ${dataPort} drop
    ${fromContainers} ip6 daddr @hosts6 udp dport ${dataPort} drop
    ${fromContainers} ip daddr @hosts4 tcp dport { ${ports} } drop
    ${fromContainers} ip6 daddr @hosts6 tcp dport { ${ports} } drop
  }
}
table bridge weave
delete table bridge weave
table bridge weave {
  chain input {
    type filter hook input priority filter; policy accept;
    iifname { "${hostEndPrefix}*", "${tunnelPrefix}*" } drop
  }
}
`
}

function elements(addresses: readonly string[]): string {
  return addresses.length === 0 ? '' : `elements = { ${[...addresses].toSorted().join(', ')} }`
}
