/**
 * Looks around in the swarm: what is this node, who else is there, and which cluster are they in?
 *
 * Nodes are known from two sides. Docker tells a plugin of those that join while it runs; of those
 * that were there before it tells nothing, so the managers are taken from `docker info` besides.
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

const noSwarm = { state: '', nodeId: '', address: '', isManager: false, managers: [] }

/** @throws ENGINE_UNREACHABLE when the swarm's managers do not agree on anything just now. */
export async function look({ settings, engine, nodes, signal }: Sources): Promise<Sight> {
  const info = await engine.info({ signal }).catch(() => undefined)
  const swarm = info?.swarm ?? noSwarm
  const { state, isManager } = swarm
  const here = { state, isManager, swarm, settings: addressed(settings, swarm.address) }
  if (state !== 'active') return { ...here, asked: [] }
  const note = isManager ? await readNote(engine, swarm, signal) : undefined
  const peers = new Set([
    ...swarm.managers.map(hostOf).flatMap((host) => host ?? []),
    ...nodes.addresses(),
  ])
  const names = [...peers].map((host) => formatHostPort({ host, port: settings.port }))
  const others = [...new Set([...names, ...(note === undefined ? [] : [note.founding.founder])])]
  const asked = await Promise.all(others.filter(isElsewhere).map((peer) => ask(peer, signal)))
  return { ...here, asked, note }
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
  return ip === undefined || !isOwnAddress(ip)
}

async function ask(peer: string, signal: AbortSignal): Promise<Asked> {
  const answer = await askPeer(readPeer(peer), { signal })
  return answer.kind === 'answered'
    ? { peer, answer: { cluster: answer.cluster.cluster } }
    : { peer, answer: { problem: answer.reason } }
}
