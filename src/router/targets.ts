/** What the loops keep as desired: each plan joined with where its two snapshots come from. */

import { findIpv6Settings } from '../netlink/ipv6-settings.ts'
import { portsOf } from '../settings/launch.ts'
import { ipv6SettingsDirs } from '../settings/paths.ts'
import { filtersTarget } from '../targets/filters.ts'
import { linksTarget, sweepTarget } from '../targets/links.ts'
import { publicationTarget } from '../targets/publication.ts'
import { tablesTarget } from '../targets/tables.ts'
import { requireNetworks } from './facts.ts'
import { anyTarget } from './loops.ts'
import type { Targets } from './loops.ts'
import { memoryTarget } from './memory.ts'
import type { Parts } from './parts.ts'
import { remember } from './remember.ts'

/** @param linkEvents how many times something has happened to a link of this host. */
export function createTargets(parts: Parts, linkEvents: () => number): Targets {
  const { socket, sweeper, self, facts, cluster, connection, tableMemory, spreading } = parts
  const underlay = { address: self.address, port: self.dataPort }
  const ipv6 = findIpv6Settings(ipv6SettingsDirs)
  const setsIpv6 = ipv6 !== undefined
  const desiredLinks = remember(() => ({ segments: cluster.localSegments(), underlay, setsIpv6 }))
  const { storeClient, storePeer } = portsOf(self.controlPort)
  const filters = remember(() => ({
    dataPort: self.dataPort,
    controlPorts: [self.controlPort, storeClient, storePeer],
    hosts: cluster.hostAddresses(),
  }))
  const links = linksTarget(socket, async () => desiredLinks(String(facts.version())), ipv6)
  // New links have empty tables, and the kernel empties those of a link that Docker moves: filling them
  // is no drift, so what is desired must look new.
  let linkChanges = 0
  return {
    links: anyTarget({
      ...links,
      async apply(steps, signal) {
        return await links.apply(steps, signal).finally(() => (linkChanges += 1))
      },
    }),
    sweep: anyTarget(
      sweepTarget(sweeper, async () => {
        requireNetworks(facts)
        return desiredLinks(String(facts.version()))
      }),
    ),
    tables: anyTarget(
      tablesTarget(socket, tableMemory, async () => cluster.segments(linkChanges + linkEvents())),
    ),
    publication: anyTarget(
      publicationTarget({
        store: connection.store,
        own: async () => cluster.own(connection.lease()),
        published: cluster.published,
        async onGone(id) {
          // Somebody may have made it again since.
          if (facts.networks.get(id)?.removed === true) await facts.deleteNetwork(id)
        },
      }),
    ),
    filters: anyTarget(filtersTarget(async () => filters(cluster.hostAddresses().join(' ')))),
    memory: anyTarget(memoryTarget(facts, { cluster, kept: spreading.segments })),
    spread: anyTarget(spreading.target),
    resolvers: anyTarget(parts.names.resolvers),
    listeners: anyTarget(parts.names.listeners),
  }
}
