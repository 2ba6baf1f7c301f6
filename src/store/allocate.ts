/**
 * Gives a network its VNI: one that no other network of the cluster has, decided by the store.
 *
 * The first choice is a digest of the network's ID, so that two hosts that make the same network at
 * the same time try the same number, and chances of meeting another network's are small.
 */

import { createHash } from 'node:crypto'
import { isVni, maxVni } from '../model/cluster.ts'
import type { Network, NetworkId, Vni } from '../model/cluster.ts'
import { storeRecordUnreadable, vnisExhausted } from '../model/faults.ts'
import { networks, vnis } from './schema.ts'
import type { Store } from './store.ts'

/** More would mean a store full of networks, or somebody who takes numbers as fast as we do. */
const attempts = 64

/**
 * The winner's record when somebody else has made the same network meanwhile.
 *
 * @throws VNIS_EXHAUSTED, STORE_RECORD_UNREADABLE
 */
export async function allocateNetwork(
  store: Store,
  wanted: Omit<Network, 'vni'>,
): Promise<Network> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const network: Network = { ...wanted, vni: candidate(wanted.id, attempt) }
    const { id, vni } = network
    const outcome = await store.commit([
      { kind: 'put', key: networks.key(id), text: networks.encode(network), expected: 0n },
      { kind: 'put', key: vnis.key(vni), text: vnis.encode(id), expected: 0n },
    ])
    if (outcome.kind === 'written') return network
    const made = await readNetwork(store, id)
    if (made !== undefined) return made
  }
  throw vnisExhausted()
}

async function readNetwork(store: Store, id: NetworkId): Promise<Network | undefined> {
  const record = await store.read(networks.key(id))
  if (record === undefined) return undefined
  const network = networks.decode(record.text)
  if (network === undefined) throw storeRecordUnreadable(record.key)
  return network
}

/** Another number for each attempt, the same ones for the same network on every host. */
function candidate(id: NetworkId, attempt: number): Vni {
  const digest = createHash('sha256').update(`${attempt} ${id}`).digest()
  const vni = (digest.readUInt32BE(0) % maxVni) + 1
  if (!isVni(vni)) throw new Error(`${vni} is no VNI`)
  return vni
}
