/**
 * The address books of this host, joined with its disk, the store, and the other hosts.
 *
 * The trap is a copied machine: it has the original's books as well, and would hand out the same
 * addresses. So nobody is given one before the store has had the chance to say whose identity it is;
 * a store that does not answer keeps nobody waiting for long.
 */

import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askForHelp, askToForget, askWhatIsHeld } from '../control/peer-ipam.ts'
import type { PeerSocket } from '../control/peer-ipam.ts'
import { hostEndName } from '../datapath/names.ts'
import { readIfPresent, removeDurably, setAside, writeDurably } from '../disk/file.ts'
import { createBook } from '../ipam/book.ts'
import type { Book } from '../ipam/book.ts'
import type { Desk, HelpReply, IpamPeers } from '../ipam/desk.ts'
import { createIpam } from '../ipam/ipam.ts'
import type { Ipam } from '../ipam/ipam.ts'
import { decodeLedger } from '../ipam/ledger-text.ts'
import { createLedger } from '../ipam/ledger.ts'
import type { Ledger } from '../ipam/ledger.ts'
import { tend } from '../ipam/tend.ts'
import { ipFromBytes } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import type { HostId } from '../model/cluster.ts'
import { routerNotReady } from '../model/faults.ts'
import { readBlockId, readPoolId } from '../model/pool.ts'
import type { BlockId, Pool } from '../model/pool.ts'
import { addressBits, contains, formatPrefix, parsePrefix } from '../model/prefix.ts'
import type { Prefix } from '../model/prefix.ts'
import { findLink } from '../netlink/link.ts'
import { createTurns } from '../reconcile/turns.ts'
import { readIpalloc } from '../settings/ipalloc.ts'
import type { Paths } from '../settings/paths.ts'
import type { Store } from '../store/store.ts'
import type { Connection } from './connection.ts'
import { toLocalEndpoint } from './facts.ts'
import type { Facts } from './facts.ts'
import type { Parts } from './parts.ts'
import { describeUsage } from './pool-status.ts'
import { until } from './until.ts'

export interface Addresses {
  readonly ipam: Ipam
  readonly book: Book
  /** Resolves when addresses may be given. */
  readonly ready: (signal: AbortSignal) => Promise<void>
}

/** Long enough for what still remembers the last holder: caches, connections, people. */
const restMs = 30_000
const tendMs = 10_000
/** What a start of the router waits for the store's word on its identity. */
const identityMs = 5000
const viewMs = 2000

export async function openAddresses(parts: Parts): Promise<Addresses> {
  const { paths, self, facts, connection, prepared, warnings, log, ending } = parts
  const book = await openBook(paths, (problem) => {
    warnings.push(problem)
    log.warn(problem)
  })
  const desk: Desk = {
    self: self.id,
    nickname: self.nickname,
    store: guardedStore(connection),
    view: connection.view,
    book,
    peers: createPeers(parts),
    turns: createTurns(),
    usedHere: (pool) => addressesHere(facts, pool),
    bury: (pool, taken) => bury(pool, taken, parts),
    siblings: (pool) => siblingsOf(pool, parts),
    usage: (pool) => describeUsage(pool, parts),
    now: () => ({ nowMs: Date.now(), restMs }),
    random: Math.random,
    warn(text) {
      warnings.push(text)
      log.warn(text)
    },
    choice: (family) =>
      family === 4 ? readIpalloc(prepared.settings) : { from: uniqueLocal(parts), length: 64 },
    routes: () => routesOf(parts),
    borrowing: new Map(),
  }
  void keepTending(desk, parts)
  const startedAt = performance.now()
  return {
    ipam: createIpam(desk),
    book,
    async ready(signal) {
      const { view, isClaimed } = connection
      const rest = viewMs - (performance.now() - startedAt)
      await until(view.isReady, { withinMs: rest, signal })
      if (!view.isReady() || isClaimed()) return
      await until(isClaimed, { withinMs: identityMs, signal })
      if (!isClaimed()) throw routerNotReady('it is not yet certain that its identity is its own')
      ending.signal.throwIfAborted()
    },
  }
}

async function openBook(paths: Paths, onSetAside: (problem: string) => void): Promise<Book> {
  const folder = paths.ipamDir
  const names = await readdir(folder).catch(() => [])
  const ledgers: Ledger[] = []
  for (const name of names) {
    const file = path.join(folder, name)
    const pool = readPoolId(name.replace(/\.json$/, ''))
    const ledger = decodeLedger((await readIfPresent(file)) ?? '')
    if (name.endsWith('.tmp')) await removeDurably(file)
    else if (pool !== undefined && ledger?.pool.id === pool.id) ledgers.push(ledger)
    else {
      const kept = await setAside(file, paths.asideDir)
      onSetAside(`${file} was not understood; moved to ${kept}`)
      // Docker may hold the pool: what the store knows of it is taken over again.
      if (pool !== undefined) ledgers.push(Object.assign(createLedger(pool), { refs: 1 }))
    }
  }
  return createBook(ledgers, {
    save: (id, text) => writeDurably(path.join(folder, `${id}.json`), `${text}\n`),
    remove: (id) => removeDurably(path.join(folder, `${id}.json`)),
  })
}

/** Writes nothing before it is certain that the store and the identity are ours. */
function guardedStore({ store, view, isClaimed }: Connection): Store {
  return {
    ...store,
    async commit(writes) {
      const mismatch = view.mismatch()
      if (mismatch !== undefined) throw routerNotReady(mismatch)
      if (!isClaimed()) throw routerNotReady('it is not yet certain that its identity is its own')
      return store.commit(writes)
    },
  }
}

function createPeers({ connection, self }: Parts): IpamPeers {
  function socketOf(host: HostId): PeerSocket {
    const found = connection.view.hosts().get(host)?.value
    if (found === undefined) throw new Error(`host ${host} is not there`)
    return { host: found.address, port: found.controlPort }
  }
  return {
    async help(host, request) {
      const reply = await askForHelp(socketOf(host), request)
      const pool = readPoolId(request.pool)
      if (reply.kind !== 'block') return reply
      const block = pool === undefined ? undefined : blockIn(pool, reply.block)
      return block ?? ({ kind: 'none', reason: 'it gave something else' } satisfies HelpReply)
    },
    forget: (host, gone) => askToForget(socketOf(host), gone),
    holds: (host, question) =>
      askWhatIsHeld(socketOf(host), {
        pool: question.pool,
        addresses: [...question.addresses],
        urgent: question.urgent,
        lender: self.id,
      }),
  }
}

function blockIn(pool: Pool, text: string): HelpReply | undefined {
  return isBlockOf(pool, text) ? { kind: 'block', block: text } : undefined
}

function isBlockOf(pool: Pool, text: string): text is BlockId {
  return readBlockId(pool, text) !== undefined
}

function addressesHere({ endpoints }: Facts, pool: Pool): IpAddress[] {
  return [...endpoints.values()].flatMap((endpoint) =>
    toLocalEndpoint(endpoint).addresses.filter((address) => contains(pool.subnet, address)),
  )
}

/** What is taken becomes an endpoint in a moment, unless Docker dies over it. */
const endpointMs = 30_000

/**
 * An endpoint that was joined and whose link is gone has lost its container: the kernel removes the
 * pair with the container's namespace. An address that never became an endpoint, in a network of
 * ours, has none to lose.
 */
async function bury(
  pool: Pool,
  { address, sinceMs }: { readonly address: IpAddress; readonly sinceMs: number },
  { facts, socket }: Parts,
): Promise<boolean> {
  const subnet = formatPrefix(pool.subnet)
  const networks = [...facts.networks.values()].filter(({ subnets }) => subnets.includes(subnet))
  const ids = new Set(networks.map(({ id }) => id))
  const holders = [...facts.endpoints.values()].filter(
    (endpoint) =>
      ids.has(endpoint.network) && toLocalEndpoint(endpoint).addresses.includes(address),
  )
  if (holders.length === 0) return networks.length > 0 && Date.now() - sinceMs > endpointMs
  for (const { id, phase } of holders) {
    const link = await findLink(socket, hostEndName(id))
    if (phase === 'created' || link !== undefined) return false
  }
  for (const { id } of holders) await facts.deleteEndpoint(id)
  return true
}

function siblingsOf(pool: Pool, { facts, connection }: Parts): Pool[] {
  const subnet = formatPrefix(pool.subnet)
  const bits = addressBits(pool.subnet.address)
  const networks = [...facts.networks.values()].filter(({ subnets }) => subnets.includes(subnet))
  const beside = new Set(networks.flatMap(({ subnets }) => subnets))
  return [...connection.view.pools().keys()].flatMap((id) => {
    const other = readPoolId(id)
    if (other === undefined || other.id === pool.id || other.space !== pool.space) return []
    const isBeside = beside.has(formatPrefix(other.subnet))
    return isBeside && addressBits(other.subnet.address) === bits ? [other] : []
  })
}

/** Of every host of the cluster, this one among them. */
function routesOf({ connection, self, routes }: Parts): Prefix[] {
  const others = [...connection.view.hosts().values()]
    .filter(({ value }) => value.id !== self.id)
    .flatMap(({ value }) => value.routes ?? [])
  return [...new Set([...routes(), ...others])].flatMap((text) => parsePrefix(text) ?? [])
}

/** A /48 of unique local addresses (RFC 4193) that other clusters will not have. */
function uniqueLocal({ connection }: Parts): Prefix {
  const cluster = connection.view.home()
  if (cluster === undefined) throw routerNotReady('it does not know yet which cluster this is')
  const digest = createHash('sha256').update(cluster).digest()
  const address = ipFromBytes(
    Uint8Array.of(0xfd, ...digest.subarray(0, 5), ...Array.from<number>({ length: 10 }).fill(0)),
  )
  if (address === undefined) throw new Error('sixteen bytes are an address')
  return { address, length: 48 }
}

async function keepTending(desk: Desk, { ending, log }: Parts): Promise<void> {
  const { signal } = ending
  while (!signal.aborted) {
    await sleep(tendMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    for (const error of await tend(desk)) {
      log.debug({ reason: String(error) }, 'addresses could not be put in order')
    }
  }
}
