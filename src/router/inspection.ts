/** Gathers what `status` says from the running parts. */

import type { ClusterReply, Status } from '../control/messages.ts'
import type { Host } from '../model/cluster.ts'
import { version } from '../model/version.ts'
import { readDns } from '../settings/dns.ts'
import { formatHostPort, parseHostPort } from '../settings/host-port.ts'
import type { Connection } from './connection.ts'
import type { Facts } from './facts.ts'
import type { Loops } from './loops.ts'
import { renderDns } from './names/dns-status.ts'
import type { Names } from './names/names.ts'
import type { RouterOptions } from './parts.ts'
import { renderPools } from './pool-status.ts'
import type { Prepared } from './prepare.ts'
import type { Spreading } from './spreading.ts'
import { renderStatus } from './status.ts'

export interface InspectionSources {
  readonly self: Host
  readonly mtuBytes: number
  readonly prepared: Prepared
  readonly facts: Facts
  readonly connection: Connection
  readonly loops: Loops
  readonly spreading: Spreading
  readonly names: Names
  readonly warnings: readonly string[]
  readonly startedAt: Date
  readonly runAs?: RouterOptions['runAs']
}

/** A container can ask for a network before the store is read; a launch waits for this. */
function isReady({ connection, loops }: InspectionSources): boolean {
  return connection.view.isReady() && loops.areInOrder()
}

export function inspect(sources: InspectionSources): Status {
  const { self, prepared, facts, connection, loops, startedAt } = sources
  const { view } = connection
  const { settings, membership } = prepared
  const cluster = view.cluster() ?? membership.cluster
  const problem = view.problem()
  const spread = sources.spreading.status()
  const hosts = new Map([...view.hosts()].map(([id, { value }]) => [id, value]))
  return renderStatus({
    self,
    host: {
      mtuBytes: sources.mtuBytes,
      runAs: sources.runAs ?? settings.runAs ?? 'foreground',
      startedAt: startedAt.toISOString(),
      pid: process.pid,
    },
    ready: isReady(sources),
    cluster: { ...(cluster === undefined ? {} : { id: cluster }), peers: [...settings.peers] },
    store: {
      kind: membership.store.kind,
      endpoints: [...connection.endpoints],
      prefix: membership.store.prefix,
      connected: view.connected(),
      ...(problem === undefined ? {} : { problem }),
      foreignKeys: [...view.foreignKeys()],
      revision: String(view.revision()),
    },
    facts,
    hosts,
    networks: new Map([...view.networks()].map(([id, { value }]) => [id, value])),
    remote: [...view.endpoints().values()].map(({ value }) => value),
    pools: renderPools(sources),
    dns: renderDns({
      dns: readDns(settings, sources),
      activity: sources.names.activity(),
      self,
      facts,
      hosts,
      added: [...view.staticNames().values()].map(({ value }) => value),
    }),
    loops: loops.reports(),
    definitions: spread.definitions,
    warnings: [...sources.warnings, ...spread.warnings],
  })
}

/** What a joining host is told. Undefined while we do not know which cluster this is. */
export function describeCluster(sources: InspectionSources): ClusterReply | undefined {
  const { self, prepared, connection } = sources
  const cluster = connection.view.cluster() ?? prepared.membership.cluster
  if (cluster === undefined) return undefined
  const { kind, prefix } = prepared.membership.store
  return {
    cluster,
    host: self.id,
    nickname: self.nickname,
    version,
    store: {
      kind,
      endpoints: connection.endpoints.map((endpoint) => reachable(endpoint, self)),
      prefix,
    },
  }
}

/** An etcd on this host's loopback is reached by others on our underlay address. */
function reachable(endpoint: string, { address }: Host): string {
  const parsed = parseHostPort(endpoint)
  if (parsed.kind === 'bad') return endpoint
  const { host, port } = parsed.value
  const isLoopback = host === 'localhost' || host.startsWith('127.') || host === '::1'
  return isLoopback ? formatHostPort({ host: address, ...(port && { port }) }) : endpoint
}
