/** Joins the calls on the local socket with the parts of this router that carry them out. */

import { randomBytes } from 'node:crypto'
import type { RouterApi } from '../control/api.ts'
import type { ResetReply } from '../control/messages.ts'
import type { Network } from '../model/cluster.ts'
import { routerNotReady } from '../model/faults.ts'
import { allocateNetwork } from '../store/allocate.ts'
import type { Addresses } from './addresses.ts'
import { createApi } from './api.ts'
import { createAttachments } from './attachment.ts'
import { inspect } from './inspection.ts'
import type { InspectionSources } from './inspection.ts'
import type { Loops } from './loops.ts'
import { createNetworks } from './networks.ts'
import type { Parts } from './parts.ts'
import { resetKernel, resetRecords } from './reset.ts'
import { until } from './until.ts'

export function createRouterApi(
  parts: Parts,
  {
    loops,
    addresses,
    inspection,
  }: {
    readonly loops: Loops
    readonly addresses: Addresses
    readonly inspection: InspectionSources
  },
): RouterApi {
  const { facts, cluster, mtuBytes, ending, turns, names } = parts
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
    introduce: names.introduce,
    mtuBytes,
    now: () => new Date(),
    randomBytes: () => randomBytes(5),
  })
  return createApi({
    facts,
    networks,
    attachments,
    addresses,
    names,
    spreading: parts.spreading,
    mtuBytes,
    onChange: loops.ringAll,
    status: async () => inspect(inspection),
    stop: () => ending.abort(),
    reset: () => reset(parts, loops),
  })
}

async function reset({ connection, socket, self }: Parts, loops: Loops): Promise<ResetReply> {
  await loops.stop()
  const kernel = await resetKernel(socket)
  const records = await resetRecords(connection.store, self.id).catch(() => 0)
  await connection.leave().catch(() => {})
  return { removed: { ...kernel.removed, records } }
}

/** A network is not used before our own view has it: it could be taken for a removed one. */
async function allocateVisibly(
  wanted: Omit<Network, 'vni'>,
  { connection, cluster }: Parts,
): Promise<Network> {
  const mismatch = connection.view.mismatch()
  if (mismatch !== undefined) throw routerNotReady(mismatch)
  const network = await allocateNetwork(connection.store, wanted)
  await until(() => cluster.network(network.id) !== undefined, { withinMs: 2000 })
  return network
}
