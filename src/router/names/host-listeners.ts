/**
 * Answers names in the host's own network namespace, at two addresses.
 *
 *   host     for programs of this host: all networks, and nothing that is not ours
 *   bridge   for containers with `weave dns-args`, told apart by their address: what each shares, and all
 *            else from this host's resolvers. Whoever is no container of ours is told nothing
 */

import { createForwarder } from '../../dns/forwarder.ts'
import { watchNameservers } from '../../dns/resolv.ts'
import { serveDns } from '../../dns/server.ts'
import type { DnsServer } from '../../dns/server.ts'
import type { Dns } from '../../settings/dns.ts'
import { createListeners } from '../../targets/listeners.ts'
import type { ListenerKind, Listeners, Places } from '../../targets/listeners.ts'
import { toAnswer } from './answers.ts'
import { createAskers } from './askers.ts'
import type { AskersSources } from './askers.ts'
import type { Listings } from './listings.ts'
import type { Roster } from './roster.ts'

export interface HostListenersSources extends Pick<AskersSources, 'engine' | 'version'> {
  readonly roster: Pick<Roster, 'withAddress' | 'bridgeAddress'>
  readonly listings: Listings
  readonly dns: Dns
}

const port = 53
const resolvConf = '/etc/resolv.conf'
/** Programs of this host cannot be forged from outside. */
const hostUdpBytes = 1232
/** A container may forge another's address; RFC 1035's least is all that this brings upon it. */
const bridgeUdpBytes = 512

export function createHostListeners(sources: HostListenersSources): Listeners {
  const { dns, roster } = sources
  const open: Readonly<Record<ListenerKind, (address: string) => Promise<DnsServer>>> = {
    host: (address) => openHost(address, sources),
    bridge: (address) =>
      openBridge(address, { ...sources, own: () => [...listeners.places().values()] }),
  }
  const listeners = createListeners({
    desired(): Places {
      const bridge = roster.bridgeAddress()
      const places = new Map<ListenerKind, string>()
      if (dns.isOn && dns.listenAddress !== undefined) places.set('host', dns.listenAddress)
      if (dns.isOn && bridge !== undefined) places.set('bridge', bridge)
      return places
    },
    open: (listener, address) => open[listener](address),
  })
  return listeners
}

function openHost(address: string, { listings, dns }: HostListenersSources): Promise<DnsServer> {
  const { ttlSeconds, domain: zone } = dns
  return serveDns({
    udp: { address, port },
    tcp: { address, port },
    zone,
    ttlSeconds,
    mostUdpBytes: hostUdpBytes,
    upstream: undefined,
    decide: (question) => toAnswer(listings.answerHost(question), dns),
  })
}

function openBridge(
  address: string,
  sources: HostListenersSources & { readonly own: () => readonly string[] },
): Promise<DnsServer> {
  const { listings, dns, own } = sources
  const { ttlSeconds, domain: zone } = dns
  const askers = createAskers({ ...sources, sandboxes: listings.sandboxes })
  return serveDns({
    udp: { address, port },
    tcp: { address, port },
    zone,
    ttlSeconds,
    mostUdpBytes: bridgeUdpBytes,
    mostPassedUdpBytes: hostUdpBytes,
    upstream: createForwarder({
      servers: watchNameservers(resolvConf),
      own: () => [...own(), address].map((one) => ({ address: one, port })),
    }),
    identify: ({ address: from }) => askers.sandboxAt(from),
    decide(question, { identity: sandbox }) {
      if (sandbox === undefined) return { kind: 'refused' }
      return toAnswer(listings.answer(question, sandbox), dns)
    },
  })
}
