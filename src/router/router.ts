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

import { randomUUID } from 'node:crypto'
import { once, setMaxListeners } from 'node:events'
import { hostname } from 'node:os'
import { servePeers } from '../control/peer.ts'
import { serveControl } from '../control/server.ts'
import { overlayMtuBytes } from '../datapath/mtu.ts'
import { createEngine } from '../docker/engine.ts'
import type { Host } from '../model/cluster.ts'
import { routerNotReady } from '../model/faults.ts'
import { version } from '../model/version.ts'
import { RTNLGRP_LINK, RTNLGRP_NEIGH, watchKernel } from '../netlink/events.ts'
import { findLink } from '../netlink/link.ts'
import { openRouteSocket } from '../netlink/socket.ts'
import type { RouteSocket } from '../netlink/socket.ts'
import { createTurns } from '../reconcile/turns.ts'
import { createWakeup } from '../reconcile/wakeup.ts'
import type { Wakeup } from '../reconcile/wakeup.ts'
import { readDns } from '../settings/dns.ts'
import { portsOf } from '../settings/launch.ts'
import type { View } from '../store/view.ts'
import { createTableMemory } from '../targets/table-memory.ts'
import { openAddresses } from './addresses.ts'
import type { Addresses } from './addresses.ts'
import { openAdoptions, openDrivers } from './adopted.ts'
import type { Adoptions, Drivers } from './adopted.ts'
import { createCluster } from './cluster.ts'
import { connectStore } from './connection.ts'
import { openFacts } from './facts.ts'
import type { Facts } from './facts.ts'
import { describeCluster } from './inspection.ts'
import { startLoops } from './loops.ts'
import type { Loops } from './loops.ts'
import { randomId, writeMembership } from './membership.ts'
import { createNames } from './names/names.ts'
import type { Parts, RouterOptions } from './parts.ts'
import type { Prepared } from './prepare.ts'
import { createRouterApi } from './router-api.ts'
import { watchRoutes } from './routes.ts'
import { createSpreading } from './spreading.ts'
import { createTargets } from './targets.ts'
import { findUnderlay, hostsOf } from './underlay.ts'
import type { Underlay } from './underlay.ts'
import { until } from './until.ts'

const graceMs = 5000
/** When the device cannot be asked. */
const ethernetMtuBytes = 1500

/** Resolves once the router has ended. @throws what keeps it from starting, or from going on. */
export async function runRouter(options: RouterOptions): Promise<void> {
  const { prepared, paths, log, ending } = options
  const { signal } = ending
  // Every part of the router listens for its end.
  setMaxListeners(0, signal)
  const { facts, adoptions, drivers, warnings } = await openDisk(options)
  using socket = openRouteSocket()
  using sweeper = openRouteSocket()
  const { underlay, mtuBytes } = await measureUnderlay(prepared, { socket, warnings })
  const self = describeSelf(prepared, underlay)
  const bell = createWakeup()
  const onChange = bell.ring
  await using connection = await connectStore({ prepared, paths, self, log, signal, onChange })
  const { view } = connection
  const routes = await watchRoutes(signal)
  const kept = adoptions.segments
  const cluster = createCluster({ self, mtuBytes, facts, view, routes, randomId, kept })
  const turns = createTurns()
  const engine = createEngine()
  const dns = readDns(prepared.settings, options)
  const names = createNames({
    self: self.id,
    facts,
    view,
    turns,
    engine,
    dns,
    localDrivers: drivers.local,
    log,
    signal,
    onChange,
  })
  const shared = { view, store: connection.store, caughtUp: cluster.caughtUp, randomId, log }
  const spreading = createSpreading({ engine, adoptions, drivers, ...shared })
  const tableMemory = createTableMemory(socket, () => performance.now())
  const own = { self, mtuBytes, facts, socket, sweeper, tableMemory, connection, cluster, warnings }
  const parts: Parts = { ...options, ...own, routes, spreading, names, turns }
  const addresses = await openAddresses(parts)
  const kernel = { linkEvents: 0 }
  const loops = startLoops(
    createTargets(parts, () => kernel.linkEvents),
    { signal, log },
  )
  listenToKernel(parts, { loops, kernel })
  spreading.listen(loops.ringSpread, signal)
  const answered = names.run()
  void passOn(bell, { cluster, spreading, view, loops, signal })
  void rememberCluster(parts)
  await serve(parts, { loops, addresses })
  // Lookups are handed back to Docker in good order, which is quicker than by the kernel at our end.
  await Promise.all([loops.done, answered])
}

/** What lies on this host's disk; what could not be read there is warned of. */
async function openDisk({ paths, prepared, log }: RouterOptions): Promise<{
  readonly facts: Facts
  readonly adoptions: Adoptions
  readonly drivers: Drivers
  readonly warnings: string[]
}> {
  const warnings = [...prepared.warnings]
  function setAside(problem: string): void {
    warnings.push(problem)
    log.warn(problem)
  }
  return {
    facts: await openFacts(paths, setAside),
    adoptions: await openAdoptions(paths, setAside),
    drivers: await openDrivers(paths, setAside),
    warnings,
  }
}

/** Where the other hosts reach this one, and what fits between containers there. */
async function measureUnderlay(
  { settings, membership }: Prepared,
  { socket, warnings }: { readonly socket: RouteSocket; readonly warnings: string[] },
): Promise<{ readonly underlay: Underlay; readonly mtuBytes: number }> {
  const towards = hostsOf(membership.store.endpoints)
  const { address: chosen } = settings
  const underlay = await findUnderlay({ chosen, before: membership.address, towards })
  const device = await findLink(socket, underlay.device)
  const fitting = overlayMtuBytes(device?.mtuBytes ?? ethernetMtuBytes, underlay.address)
  const mtuBytes = settings.mtuBytes ?? fitting
  if (mtuBytes > fitting) {
    warnings.push(`--mtu=${mtuBytes} is more than ${underlay.device} carries (${fitting})`)
  }
  return { underlay, mtuBytes }
}

function listenToKernel(
  { ending, tableMemory }: Parts,
  { loops, kernel }: { readonly loops: Loops; readonly kernel: { linkEvents: number } },
): void {
  const { signal } = ending
  watchKernel([RTNLGRP_LINK], {
    signal,
    onChange() {
      kernel.linkEvents += 1
      loops.ringAll()
    },
  })
  watchKernel([RTNLGRP_NEIGH], {
    signal,
    onChange(links) {
      if (tableMemory.hear(links)) loops.ringTables()
    },
  })
}

/** Answers on both sockets until the end. @throws HOST_ID_TAKEN, SOCKET_IN_USE, PORT_IN_USE. */
async function serve(
  parts: Parts,
  { loops, addresses }: { readonly loops: Loops; readonly addresses: Addresses },
): Promise<void> {
  const { prepared, paths, self, log, ending, connection } = parts
  const inspection = { ...parts, loops, startedAt: new Date() }
  const control = await serveControl({
    socket: paths.routerSocket,
    router: createRouterApi(parts, { loops, addresses, inspection }),
    report: ({ method, path, status, ms, error }) =>
      log[status >= 500 ? 'warn' : 'debug']({ method, path, status, ms, err: error }, 'call'),
  })
  const peers = await servePeers({
    host: self.address,
    port: self.controlPort,
    describe: () => describeCluster(inspection) ?? refuseUntilReady(),
    ipam: addresses.ipam,
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
  {
    cluster,
    spreading,
    view,
    loops,
    signal,
  }: Pick<Parts, 'cluster' | 'spreading'> & {
    readonly view: View
    readonly loops: Loops
    readonly signal: AbortSignal
  },
): Promise<void> {
  let known = ''
  let news = ''
  while (!signal.aborted) {
    await bell.wait(60_000, signal)
    loops.ringAll()
    if (!view.isReady()) continue
    if (news !== spreading.news()) loops.ringSpread()
    news = spreading.news()
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
