/**
 * How a router's status reads in a terminal: one function per `weave status …`, pure.
 *
 * What is wrong comes first. IDs are cut to the twelve characters that Docker shows, too.
 */

import type { Status } from '../control/messages.ts'
import { formatHostPort } from '../settings/host-port.ts'
import { describeMissing, describeStore } from './launched.ts'
import { nameRows } from './name-rows.ts'
import { align, formatTable } from './table.ts'

/** Whether a peer's control port let us connect. */
export interface Connection {
  readonly id: string
  readonly nickname: string
  readonly address: string
  readonly controlPort: number
  readonly dataPort: number
  readonly state: 'self' | 'reachable' | 'unreachable'
  /** Time to connect. */
  readonly ms?: number
  /** Why it is unreachable. */
  readonly problem?: string
}

/** A plugin instance that `weave launch-plugin` started. */
export interface PluginStatus {
  readonly driver: string
  readonly socket: string
  readonly runAs: string
  readonly state: 'answering' | 'silent'
}

export function viewSummary(status: Status, plugins: readonly PluginStatus[]): string {
  const { host, store, peers, networks, endpoints } = status
  const missing = describeMissing(status)
  const here = endpoints.filter(({ local }) => local).length
  const ports = `TCP ${host.controlPort}, UDP ${host.dataPort}`
  const lines = [
    ['state', missing === undefined ? 'ready' : `not ready: ${missing}`],
    ['host', `${host.nickname} (${host.id})`],
    ['underlay', `${host.address}, ${ports}, container MTU ${host.mtuBytes}`],
    ['router', `${status.version}, ${keptUp(status)}, since ${host.startedAt}`],
    ['store', `${describeStore(status)}, ${store.connected ? 'connected' : 'not connected'}`],
    ['hosts', `${peers.length}`],
    ['networks', `${networks.length}`],
    ['endpoints', `${here} here, ${endpoints.length - here} on other hosts`],
    ['names', describeNames(status)],
    ...plugins.map(({ driver, socket, runAs, state }) => [
      'plugin',
      `${driver} on ${socket}, as ${runAs}, ${state}`,
    ]),
    ...status.targets.map((target) => ['target', describeTarget(target)]),
  ]
  return [...viewWarnings(status), align(lines)].join('\n')
}

function viewWarnings({ warnings, store }: Status): string[] {
  const foreign = store.foreignKeys.length
  const count =
    foreign === 1 ? '1 foreign key in the store is' : `${foreign} foreign keys in the store are`
  return [
    ...warnings,
    ...(foreign === 0 ? [] : [`${count} ignored: see "weave status store"`]),
  ].map((text) => `warning: ${text}`)
}

export function viewPeers({ peers }: Status): string {
  const rows = peers.map((peer) => [
    peer.self ? `${peer.nickname} (this host)` : peer.nickname,
    peer.id,
    peer.address,
    peer.version,
    `${peer.endpoints}`,
  ])
  return formatTable(['host', 'id', 'address', 'version', 'endpoints'], rows) ?? 'no hosts'
}

export function viewConnections(connections: readonly Connection[]): string {
  const rows = connections.map((peer) => [
    peer.nickname,
    formatHostPort({ host: peer.address, port: peer.controlPort }),
    `${peer.dataPort}`,
    peer.state === 'self' ? 'this host' : peer.state,
    peer.problem ?? (peer.ms === undefined ? '' : `${peer.ms} ms`),
  ])
  return formatTable(['host', 'control', 'udp', 'state', 'connect'], rows) ?? 'no hosts'
}

export function viewNetworks({ networks, definitions }: Status): string {
  const segments = new Set(networks.map(({ id }) => id))
  const rows = networks.map((network) => {
    const named = definitions.filter((definition) => definition.network === network.id)
    return [
      short(network.id),
      named.map(({ name }) => name).join(' ') || '-',
      named.map(({ state }) => state).join(' ') || '-',
      `${network.vni}`,
      network.subnets.join(' ') || '-',
      `${network.mtuBytes}`,
      network.multicast ? 'yes' : 'no',
      `${network.localEndpoints}`,
      `${network.remoteEndpoints}`,
      network.bridge ?? '-',
    ]
  })
  const others = definitions.filter(
    ({ network }) => network === undefined || !segments.has(network),
  )
  const unmade = others.map(({ network, name, state, subnets }) => {
    const id = network === undefined ? '-' : short(network)
    return [id, name, state, '-', subnets.join(' ') || '-', '-', '-', '0', '0', '-']
  })
  const first = ['network', 'name', 'state', 'vni', 'subnets', 'mtu', 'multicast', 'here']
  const table = formatTable([...first, 'elsewhere', 'bridge'], [...rows, ...unmade])
  const problems = definitions.flatMap(({ name, problem }) =>
    problem === undefined ? [] : [`${name}: ${problem}`],
  )
  if (table === undefined) return 'no networks: "docker network create --driver=weave NAME"'
  return [table, ...problems].join('\n')
}

export function viewEndpoints({ endpoints }: Status): string {
  const rows = endpoints.map((endpoint) => [
    short(endpoint.id),
    short(endpoint.network),
    endpoint.addresses.join(' ') || '-',
    endpoint.mac,
    endpoint.local ? `${endpoint.nickname} (this host)` : endpoint.nickname,
    endpoint.phase ?? '-',
    endpoint.link ?? '-',
  ])
  const headings = ['endpoint', 'network', 'addresses', 'mac', 'host', 'phase', 'link']
  return formatTable(headings, rows) ?? 'no endpoints: "docker run --net=NETWORK …"'
}

/** A line for each pool, and below it one for each host that has a part of it. */
export function viewIpam({ pools }: Status): string {
  const rows = pools.flatMap(({ id, subnet, range, size, free, hosts }) => [
    [
      subnet === range ? subnet : `${subnet} (${range})`,
      id.startsWith('global') ? 'global' : 'local',
      `${hosts.reduce((sum, { used }) => sum + used, 0)}`,
      size,
      free,
    ],
    ...hosts.map(({ nickname, used, addresses }) => [
      `  ${nickname}`,
      '',
      `${used}`,
      addresses,
      '',
    ]),
  ])
  const headings = ['pool', 'space', 'used', 'addresses', 'unclaimed']
  return formatTable(headings, rows) ?? 'no pools: "docker network create --ipam-driver=weave …"'
}

/** Who is answered, and a line for each name that the cluster knows. */
export function viewDns(status: Status): string {
  const { dns } = status
  const head = align([
    ['state', dns.on ? 'answering' : 'off: names are left to Docker'],
    ['domain', dns.domain],
    ['ttl', `${dns.ttlSeconds} s`],
    ['listening', dns.listening.join(', ') || '-'],
    ['containers', `${dns.containers}`],
    ...Object.entries(dns.questions).map(([what, count]) => [what, `${count}`]),
  ])
  const rows = nameRows(status).map(({ name, addresses, network, container, host, byHand }) => [
    name,
    addresses.join(' ') || '-',
    network ?? '(all)',
    container ?? '-',
    host,
    byHand ? 'by hand' : '',
  ])
  const headings = ['name', 'addresses', 'network', 'container', 'host', 'added']
  return `${head}\n\n${formatTable(headings, rows) ?? 'no names'}`
}

function describeNames(status: Status): string {
  const { on, domain, containers } = status.dns
  if (!on) return 'left to Docker'
  const known = new Set(nameRows(status).map(({ name }) => name)).size
  return `${known} known, under ${domain}; ${containers} containers are answered`
}

export function viewStore(status: Status): string {
  const { store, cluster } = status
  return align([
    ['kind', store.kind],
    ['cluster', cluster.id ?? 'not known yet'],
    ['endpoints', store.endpoints.join(', ') || 'none'],
    ['prefix', store.prefix === '' ? '(none)' : store.prefix],
    [
      'state',
      store.connected ? 'connected' : `not connected: ${store.problem ?? 'no reason known'}`,
    ],
    ['revision', store.revision],
    ...store.foreignKeys.map((key) => ['foreign key', key]),
  ])
}

function keptUp({ host }: Status): string {
  return host.runAs === 'foreground'
    ? `in the foreground (pid ${host.pid})`
    : `kept up as ${host.runAs} (pid ${host.pid})`
}

function describeTarget({
  name,
  state,
  passes,
  drift,
  problem,
}: Status['targets'][number]): string {
  const reason = problem === undefined ? '' : `: ${problem}`
  return `${name} ${state}${reason}, ${passes} passes, ${drift} repairs`
}

function short(id: string): string {
  return id.slice(0, 12)
}
