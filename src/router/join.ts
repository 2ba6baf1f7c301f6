/**
 * Which cluster does this host belong to, and where is its store?
 *
 *   store       --cluster-store, else the one Docker itself uses, else the peers', else our own
 *   cluster     the peers' and the store's must be the same one; without peers the store's, or new
 *
 * Peers are asked all at once. One that does not answer is passed over as long as another does:
 * starting two hosts at the same moment and losing one for good look alike from here. All of them
 * dead is an error: founding a second cluster because the network was slow would be worse.
 */

import { lookup } from 'node:dns/promises'
import type { ClusterReply } from '../control/messages.ts'
import { askPeer } from '../control/peer.ts'
import type { PeerAnswer } from '../control/peer.ts'
import { createEngine } from '../docker/engine.ts'
import { parseIp } from '../model/address.ts'
import { clustersDiffer, peersUnreachable } from '../model/faults.ts'
import { parseClusterStore } from '../settings/cluster-store.ts'
import { formatHostPort } from '../settings/host-port.ts'
import { portsOf, readPeer } from '../settings/launch.ts'
import type { LaunchSettings } from '../settings/launch.ts'
import type { Membership } from './membership.ts'
import { isOwnAddress } from './underlay.ts'

const lookupMs = 3000
const peerMs = 4000

export interface PeerAddress {
  /** As the user wrote it. */
  readonly name: string
  /** What it resolves to, of both families: the peer may listen on any of them. */
  readonly addresses: readonly string[]
  readonly port: number
}

interface DeadPeer {
  readonly name: string
  readonly reason: string
}

/** The peers that are not this host itself, each once. */
export async function resolvePeers(
  settings: LaunchSettings,
): Promise<{ readonly peers: readonly PeerAddress[]; readonly dead: readonly DeadPeer[] }> {
  const dead: DeadPeer[] = []
  const peers = new Map<string, PeerAddress>()
  await Promise.all(
    settings.peers.map(async (name) => {
      const { host, port } = readPeer(name)
      const addresses = await resolveHost(host).catch((error: unknown) => {
        dead.push({ name, reason: reasonOf(error) })
      })
      if (addresses === undefined) return
      if (addresses.some(leadsHere) && port === settings.port) return
      peers.set(`${addresses.join(' ')} ${port}`, { name, addresses, port })
    }),
  )
  return { peers: [...peers.values()], dead }
}

export interface Joined {
  readonly membership: Membership
  readonly met: readonly ClusterReply[]
  /** Peers that did not answer and why, each as a sentence. */
  readonly passedOver: readonly string[]
}

export interface JoinSources {
  readonly peers: readonly PeerAddress[]
  readonly dead: readonly DeadPeer[]
  /** The cluster that this host belongs to already: where nothing else is said, it stays there. */
  readonly before: Membership | undefined
}

/** @throws PEERS_UNREACHABLE with each peer and why, CLUSTERS_DIFFER. */
export async function joinCluster(
  settings: LaunchSettings,
  { peers, dead, before }: JoinSources,
): Promise<Joined> {
  const unsaid = settings.clusterStore === undefined && settings.peers.length === 0
  if (unsaid && before !== undefined) return { membership: before, met: [], passedOver: [] }
  const { met, passedOver } = await meetPeers(peers, dead)
  const cluster = met[0]?.cluster
  const store = settings.clusterStore ?? (await dockerStore())
  const membership = {
    ...(cluster === undefined ? {} : { cluster }),
    store: settings.clusterStore
      ? ({ kind: 'given', ...settings.clusterStore } as const)
      : store === undefined
        ? storeOfPeers(met)
        : ({ kind: 'docker', ...store } as const),
  }
  return { membership, met, passedOver }
}

/** What a managed store of our own is called by its clients. */
export function managedEndpoint(address: string, port: number): string {
  return formatHostPort({ host: address, port: portsOf(port).storeClient })
}

function storeOfPeers(met: readonly ClusterReply[]): Membership['store'] {
  const [first] = met
  if (first === undefined) return { kind: 'managed', endpoints: [], prefix: '' }
  const endpoints = new Set(met.flatMap(({ store }) => store.endpoints))
  return { kind: 'joined', endpoints: [...endpoints], prefix: first.store.prefix }
}

async function meetPeers(
  peers: readonly PeerAddress[],
  unresolved: readonly DeadPeer[],
): Promise<Pick<Joined, 'met' | 'passedOver'>> {
  const dead = [...unresolved]
  const met: ClusterReply[] = []
  await Promise.all(
    peers.map(async ({ name, addresses, port }) => {
      const outcome = await askAnywhere(addresses, port)
      if (outcome.kind === 'answered') met.push(outcome.cluster)
      else dead.push({ name, reason: outcome.reason })
    }),
  )
  if (met.length === 0 && dead.length > 0) throw peersUnreachable(dead)
  if (new Set(met.map(({ cluster }) => cluster)).size > 1) {
    throw clustersDiffer(met.map(({ nickname, cluster }) => `${nickname}: ${cluster}`))
  }
  return {
    met,
    passedOver: dead.map(({ name, reason }) => `peer ${name} was passed over: it ${reason}`),
  }
}

/** At all its addresses at once: the first that answers, else what the first address came to. */
async function askAnywhere(addresses: readonly string[], port: number): Promise<PeerAnswer> {
  const asked = addresses.map((host) =>
    askPeer({ host, port }, { signal: AbortSignal.timeout(peerMs) }),
  )
  const answered = asked.map(async (asking) => {
    const outcome = await asking
    if (outcome.kind !== 'answered') throw new Error(outcome.reason)
    return outcome
  })
  const [first] = asked
  if (first === undefined) return { kind: 'unreachable', reason: 'has no address' }
  return await Promise.any(answered).catch(() => first)
}

/** Undefined when there is no engine, or one without an etcd cluster store. */
async function dockerStore(): Promise<
  { endpoints: readonly string[]; prefix: string } | undefined
> {
  const info = await createEngine()
    .info()
    .catch(() => undefined)
  const parsed = parseClusterStore(info?.clusterStore ?? '')
  return parsed.kind === 'good' ? parsed.value : undefined
}

async function resolveHost(host: string): Promise<readonly string[]> {
  if (parseIp(host) !== undefined) return [host]
  const late = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error('the name was not resolved in time')), lookupMs).unref()
  })
  const found = await Promise.race([lookup(host, { all: true }), late])
  return found.map(({ address }) => address)
}

function leadsHere(address: string): boolean {
  const ip = parseIp(address)
  return ip !== undefined && isOwnAddress(ip)
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (!('code' in error)) return error.message
  if (error.code === 'ENOTFOUND') return 'no such host name'
  return error.code === 'EAI_AGAIN' ? 'its name cannot be resolved now' : error.message
}
