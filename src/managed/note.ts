/** Reads and writes the founding note where the swarm's managers keep it; see `founding.ts`. */

import type { EngineInfo } from '../docker/engine-messages.ts'
import type { Engine } from '../docker/engine.ts'
import { parseIp } from '../model/address.ts'
import { founderAway } from '../model/faults.ts'
import { formatFounding, foundingName, parseFounding } from '../router/founding.ts'
import { randomId } from '../router/membership.ts'
import { findUnderlay, isOwnAddress } from '../router/underlay.ts'
import { formatHostPort } from '../settings/host-port.ts'
import { readPeer } from '../settings/launch.ts'
import type { LaunchSettings } from '../settings/launch.ts'
import type { Note } from './decide.ts'

type Swarm = EngineInfo['swarm']

/** For managers only. @throws FOUNDER_AWAY when somebody else has taken the name. */
export async function readNote(
  engine: Engine,
  swarm: Swarm,
  signal: AbortSignal,
): Promise<Note | undefined> {
  const found = await engine.swarm.find(foundingName, signal)
  if (found === undefined) return undefined
  const founding = parseFounding(found.text)
  if (founding === undefined) {
    throw founderAway(`nobody that config "${foundingName}" names`, foundingName)
  }
  const ip = parseIp(readPeer(founding.founder).host)
  const isOwn = founding.nodeId === swarm.nodeId || (ip !== undefined && isOwnAddress(ip))
  const nodes = await engine.swarm.nodes(signal)
  const isMember = nodes.some(({ id }) => id === founding.nodeId)
  return { id: found.id, founding, isOwn, isMember }
}

/** Writes that this node founds, unless another one was first. */
export async function claim(
  { settings, swarm }: { readonly settings: LaunchSettings; readonly swarm: Swarm },
  engine: Engine,
  signal: AbortSignal,
): Promise<boolean> {
  const { address } = await findUnderlay({ chosen: settings.address, towards: [] })
  const text = formatFounding({
    cluster: randomId(),
    founder: formatHostPort({ host: address, port: settings.port }),
    nodeId: swarm.nodeId,
  })
  return engine.swarm.create(foundingName, text, signal)
}
