/**
 * Puts the router together and keeps it running until `ending` aborts.
 *
 * Order matters once, at the start: the local socket answers first, so that Docker's calls find
 * somebody; links come from this host's own facts, with or without a store; nothing that concerns
 * other hosts is touched before the store has been read in full.
 *
 * At the end nothing is taken down. The kernel goes on forwarding, and the lease outlives us for
 * long enough that a restart goes unnoticed by the other hosts.
 */

import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { hostname } from 'node:os'
import type { RouterApi } from '../control/api.ts'
import { servePeers } from '../control/peer.ts'
import { serveControl } from '../control/server.ts'
import { overlayMtuBytes } from '../datapath/mtu.ts'
import type { Host, Network } from '../model/cluster.ts'
import { routerNotReady } from '../model/faults.ts'
import { version } from '../model/version.ts'
import { RTNLGRP_LINK, RTNLGRP_NEIGH, watchKernel } from '../netlink/events.ts'
import { findLink } from '../netlink/link.ts'
import { openRouteSocket } from '../netlink/socket.ts'
import type { RouteSocket } from '../netlink/socket.ts'
import { createWakeup } from '../reconcile/wakeup.ts'
import type { Wakeup } from '../reconcile/wakeup.ts'
import { portsOf } from '../settings/launch.ts'
import type { Paths } from '../settings/paths.ts'
import { allocateNetwork } from '../store/allocate.ts'
import { filtersTarget } from '../targets/filters.ts'
import { linksTarget } from '../targets/links.ts'
import { publicationTarget } from '../targets/publication.ts'
import { tablesTarget } from '../targets/tables.ts'
import { createApi } from './api.ts'
import { createAttachments } from './attachment.ts'
import { createCluster } from './cluster.ts'
import type { Cluster } from './cluster.ts'
import { connectStore } from './connection.ts'
import type { Connection } from './connection.ts'
import { openFacts } from './facts.ts'
import type { Facts } from './facts.ts'
import { describeCluster, inspect } from './inspection.ts'
import type { InspectionSources } from './inspection.ts'
import type { Logger } from './log.ts'
import { anyTarget, startLoops } from './loops.ts'
import type { Loops, Targets } from './loops.ts'
import { randomId, writeMembership } from './membership.ts'
import { memoryTarget } from './memory.ts'
import { createNetworks } from './networks.ts'
import type { Prepared } from './prepare.ts'
import { remember } from './remember.ts'
import { resetKernel, resetRecords } from './reset.ts'
import { createTurns } from './turns.ts'
import { findUnderlay } from './underlay.ts'
import type { Underlay } from './underlay.ts'
import { until } from './until.ts'

export interface RouterOptions {
  readonly prepared: Prepared
  readonly paths: Paths
  readonly log: Logger
  /** Ends the router when it aborts; the router aborts it itself when asked to stop. */
  readonly ending: AbortController
}

const graceMs = 5000
/** When the device cannot be asked. */
const ethernetMtuBytes = 1500
const kernelGroups = [RTNLGRP_LINK, RTNLGRP_NEIGH]

/** Resolves once the router has ended. @throws what keeps it from starting, or from going on. */
export async function runRouter(options: RouterOptions): Promise<void> {
  const { prepared, paths, log, ending } = options
  const { signal } = ending
  const { settings, membership } = prepared
  const storeHosts = membership.store.endpoints.map((endpoint) => endpoint.replace(/:\d+$/, ''))
  const underlay = await findUnderlay(settings.address, storeHosts)
  const self = describeSelf(prepared, underlay)
  const warnings = [...prepared.warnings]
  const facts = await openFacts(paths, (problem) => {
    warnings.push(problem)
    log.warn(problem)
  })
  using socket = openRouteSocket()
  const device = await findLink(socket, underlay.device)
  const fittingBytes = overlayMtuBytes(device?.mtuBytes ?? ethernetMtuBytes, underlay.address)
  const mtuBytes = settings.mtuBytes ?? fittingBytes
  if (mtuBytes > fittingBytes) {
    warnings.push(`--mtu=${mtuBytes} is more than ${underlay.device} carries (${fittingBytes})`)
  }
  const bell = createWakeup()
  await using connection = await connectStore({
    prepared,
    paths,
    self,
    log,
    signal,
    onChange: bell.ring,
  })
  const cluster = createCluster({
    self,
    mtuBytes,
    facts,
    view: connection.view,
    clusterId: membership.cluster ?? randomId(),
  })
  const parts: Parts = { ...options, self, mtuBytes, facts, socket, connection, cluster, warnings }
  const loops = startLoops(createTargets(parts), { signal, log })
  watchKernel(kernelGroups, { signal, onChange: loops.ringAll })
  void passOn(bell, { cluster, loops, signal })
  void rememberCluster(parts)
  await serve(parts, loops)
  await loops.done
}

interface Parts extends RouterOptions {
  readonly self: Host
  readonly mtuBytes: number
  readonly facts: Facts
  readonly socket: RouteSocket
  readonly connection: Connection
  readonly cluster: Cluster
  readonly warnings: string[]
}

/** Answers on both sockets until the end. @throws HOST_ID_TAKEN, SOCKET_IN_USE, PORT_IN_USE. */
async function serve(parts: Parts, loops: Loops): Promise<void> {
  const { prepared, paths, self, log, ending, connection } = parts
  const inspection = { ...parts, loops, startedAt: new Date() }
  const control = await serveControl({
    socket: paths.routerSocket,
    router: createRouterApi(parts, { loops, inspection }),
    report: ({ method, path, status, ms, error }) =>
      log[status >= 500 ? 'warn' : 'debug']({ method, path, status, ms, err: error }, 'call'),
  })
  const peers = await servePeers({
    host: self.address,
    port: self.controlPort,
    describe: () => describeCluster(inspection) ?? refuseUntilReady(),
  })
  log.info({ host: self.id, address: self.address, store: prepared.membership.store }, 'running')
  try {
    await Promise.race([once(ending.signal, 'abort'), connection.claimed.then(() => forever)])
  } finally {
    ending.abort()
    await Promise.all([control, peers].map((server) => server.drain({ graceMs })))
  }
}

/** Settles never: whoever races it waits for the others. */
const forever = new Promise<never>(() => {})

function refuseUntilReady(): never {
  throw routerNotReady('the store has not been read yet')
}

function createTargets({ socket, self, facts, cluster, connection }: Parts): Targets {
  const underlay = { address: self.address, port: self.dataPort }
  const desiredLinks = remember(() => ({ segments: cluster.localSegments(), underlay }))
  const { storeClient, storePeer } = portsOf(self.controlPort)
  const filters = remember(() => ({
    dataPort: self.dataPort,
    controlPorts: [self.controlPort, storeClient, storePeer],
    hosts: cluster.hostAddresses(),
  }))
  const links = linksTarget(socket, async () => desiredLinks(String(facts.version())))
  // New links have empty tables: filling them is no drift, so what is desired must look new.
  let linkChanges = 0
  return {
    links: anyTarget({
      ...links,
      apply(steps, signal) {
        linkChanges += 1
        return links.apply(steps, signal)
      },
    }),
    tables: anyTarget(tablesTarget(socket, async () => cluster.segments(linkChanges))),
    publication: anyTarget(
      publicationTarget({
        store: connection.store,
        own: async () => cluster.own(connection.lease()),
        published: cluster.published,
      }),
    ),
    filters: anyTarget(filtersTarget(async () => filters(cluster.hostAddresses().join(' ')))),
    memory: anyTarget(memoryTarget(facts, async () => cluster.networkIds())),
  }
}

function createRouterApi(
  parts: Parts,
  { loops, inspection }: { readonly loops: Loops; readonly inspection: InspectionSources },
): RouterApi {
  const { facts, cluster, connection, mtuBytes, ending, socket, self } = parts
  const turns = createTurns()
  const networks = createNetworks({
    facts,
    turns,
    published: cluster.network,
    allocate: (wanted) => allocateVisibly(wanted, parts),
  })
  const attachments = createAttachments({
    facts,
    networks,
    turns,
    settleLinks(id, signal) {
      const network = facts.endpoints.get(id)?.network
      const vni = network === undefined ? undefined : facts.networks.get(network)?.vni
      return loops.settleLinks({ id, vni }, signal)
    },
    announce: loops.announce,
    now: () => new Date(),
    randomBytes: () => randomBytes(5),
  })
  return createApi({
    facts,
    networks,
    attachments,
    mtuBytes,
    onChange: loops.ringAll,
    status: async () => inspect(inspection),
    stop: () => ending.abort(),
    async reset() {
      await loops.stop()
      const kernel = await resetKernel(socket)
      const records = await resetRecords(connection.store, self.id).catch(() => 0)
      await connection.leave().catch(() => {})
      return { removed: { ...kernel.removed, records } }
    },
  })
}

/** A network is not used before our own view has it: it could be taken for a removed one. */
async function allocateVisibly(
  wanted: Omit<Network, 'vni'>,
  { connection, cluster }: Parts,
): Promise<Network> {
  const network = await allocateNetwork(connection.store, wanted)
  await until(() => cluster.network(network.id) !== undefined, { withinMs: 2000 })
  return network
}

/** The cluster's identity is kept on the disk as soon as the store has told it. */
async function rememberCluster({ connection, prepared, paths }: Parts): Promise<void> {
  await connection.view.ready
  const { membership } = prepared
  await until(() => connection.view.cluster() !== undefined, { withinMs: 60_000 })
  const cluster = connection.view.cluster()
  if (cluster === undefined || cluster === membership.cluster) return
  await writeMembership(paths, { ...membership, cluster })
}

/** The store has news. Filters look only at who is in the cluster. */
async function passOn(
  bell: Wakeup,
  { cluster, loops, signal }: Pick<Parts, 'cluster'> & { loops: Loops; signal: AbortSignal },
): Promise<void> {
  let known = ''
  while (!signal.aborted) {
    await bell.wait(60_000, signal)
    loops.ringAll()
    const hosts = cluster.hostAddresses().join(' ')
    if (hosts !== known) loops.ringFilters()
    known = hosts
  }
}

function describeSelf({ id, settings }: Prepared, { address }: Underlay): Host {
  const ports = portsOf(settings.port)
  return {
    id,
    nickname: settings.nickname ?? hostname(),
    address,
    controlPort: ports.control,
    dataPort: ports.data,
    instance: randomUUID(),
    version,
  }
}
