/**
 * Looks around in the swarm: what is this node, who else is there, and which cluster are they in?
 *
 * Nodes are known from three sides. Docker tells a plugin of those that join while it runs, but not of
 * those that were there before; `docker info` names the managers; and a manager knows them all.
 */

import { askPeer } from '../control/peer.ts'
import type { EngineInfo } from '../docker/engine-messages.ts'
import type { Engine } from '../docker/engine.ts'
import { parseIp } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import { isOwnAddress } from '../router/underlay.ts'
import { formatHostPort, parseHostPort } from '../settings/host-port.ts'
import { readPeer } from '../settings/launch.ts'
import type { LaunchSettings } from '../settings/launch.ts'
import type { Asked, Situation } from './decide.ts'
import type { Nodes } from './nodes.ts'
import { readNote } from './note.ts'

export interface Sight extends Situation {
  readonly swarm: EngineInfo['swarm']
  /** With the address that the swarm has for this node, where none was asked for. */
  readonly settings: LaunchSettings
}

interface Sources {
  readonly settings: LaunchSettings
  readonly engine: Engine
  readonly nodes: Nodes
  readonly signal: AbortSignal
}

/** What a manager of an older engine has for itself. */
const unspecified = '0.0.0.0'

const noSwarm = { state: '', nodeId: '', address: '', isManager: false, managers: [] }

/** @throws ENGINE_UNREACHABLE when the swarm's managers do not agree on anything just now. */
export async function look({ settings, engine, nodes, signal }: Sources): Promise<Sight> {
  const info = await engine.info({ signal }).catch(() => undefined)
  const swarm = info?.swarm ?? noSwarm
  const { state, isManager } = swarm
  const here = { state, isManager, swarm, settings: addressed(settings, swarm.address) }
  if (state !== 'active') return { ...here, asked: [] }
  const note = isManager ? await readNote(engine, swarm, signal) : undefined
  const inSwarm = isManager ? await engine.swarm.nodes(signal) : []
  const found = [...nodes.addresses(), ...inSwarm.flatMap(({ address }) => parseIp(address) ?? [])]
  const peers = [
    ...managersOf(swarm, settings),
    ...found.map((host) => formatHostPort({ host, port: settings.port })),
    ...(note === undefined ? [] : [note.founding.founder]),
  ]
  return { ...here, asked: await askAll(peers, signal), note }
}

/** host:port of the routers on the managers of the swarm. */
export function managersOf(
  { managers }: EngineInfo['swarm'],
  { port }: LaunchSettings,
): readonly string[] {
  const hosts = managers.flatMap((manager) => hostOf(manager) ?? [])
  return hosts.map((host) => formatHostPort({ host, port }))
}

/** Each once, and not this host itself. */
export async function askAll(
  peers: readonly string[],
  signal: AbortSignal,
): Promise<readonly Asked[]> {
  const others = [...new Set(peers)].filter(isElsewhere)
  return Promise.all(others.map((peer) => ask(peer, signal)))
}

/** The address under which the swarm knows a node is where the others will look for its router. */
function addressed(settings: LaunchSettings, swarmAddress: string): LaunchSettings {
  const address = parseIp(swarmAddress)
  const isUsable = address !== undefined && isOwnAddress(address)
  return settings.address !== undefined || !isUsable ? settings : { ...settings, address }
}

function hostOf(manager: string): IpAddress | undefined {
  const parsed = parseHostPort(manager)
  return parsed.kind === 'good' ? parseIp(parsed.value.host) : undefined
}

function isElsewhere(peer: string): boolean {
  const ip = parseIp(readPeer(peer).host)
  return ip === undefined || !(isOwnAddress(ip) || ip === unspecified)
}

async function ask(peer: string, signal: AbortSignal): Promise<Asked> {
  const answer = await askPeer(readPeer(peer), { signal })
  return answer.kind === 'answered'
    ? { peer, answer: { cluster: answer.cluster.cluster } }
    : { peer, answer: { problem: answer.reason } }
}
