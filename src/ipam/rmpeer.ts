/** Takes what a host had that is gone for good: a person has said so. */

import type { HostId } from '../model/cluster.ts'
import { peerAlive, peerUnknown } from '../model/faults.ts'
import { blocks, holders, root } from '../store/schema.ts'
import type { Desk } from './desk.ts'
import { takeBackFrom } from './give.ts'
import { planLeave } from './leave.ts'

export interface Removed {
  readonly id: HostId
  readonly blocks: number
  /** Single addresses that hosts had lent to it. */
  readonly addresses: number
  /** Hosts that may have lent it more, and did not answer. */
  readonly silent: readonly string[]
}

const attempts = 8
/** Less than what etcd takes in one transaction. */
const writesAtOnce = 64

/** @param host a name or an ID. @throws PEER_UNKNOWN, PEER_ALIVE, STORE_UNREACHABLE */
export async function removePeer(desk: Desk, host: string): Promise<Removed> {
  const id = findGone(desk, host)
  const owned = [...desk.view.blocks().values()].filter(({ value }) => value.owner === id).length
  await leaveFor(desk, id)
  const outcomes = await Promise.all(
    [...desk.view.hosts().values()].map(async ({ value }) => {
      const isSelf = value.id === desk.self
      const work = isSelf ? takeBackFrom(desk, id) : desk.peers.forget(value.id, id)
      return await work.catch(() => value.nickname)
    }),
  )
  return {
    id,
    blocks: owned,
    addresses: outcomes.reduce<number>(
      (sum, outcome) => sum + (typeof outcome === 'number' ? outcome : 0),
      0,
    ),
    silent: outcomes.filter((outcome) => typeof outcome === 'string'),
  }
}

function findGone({ view }: Desk, host: string): HostId {
  const alive = [...view.hosts().values()].find(
    ({ value }) => value.id === host || value.nickname === host,
  )
  if (alive !== undefined) throw peerAlive(host)
  const known = new Map<HostId, string>()
  for (const [key, { value }] of view.holders()) {
    const id = holders.id(key)
    if (id !== undefined) known.set(id.part, value.nickname)
  }
  for (const { value } of view.blocks().values()) {
    if (value.owner !== null && !known.has(value.owner)) known.set(value.owner, value.owner)
  }
  const gone = [...known].filter(([id]) => !view.hosts().has(id))
  const found = gone.filter(([id, nickname]) => id === host || nickname === host)
  const [first, ...more] = found
  if (first === undefined || more.length > 0) {
    throw peerUnknown(
      host,
      (more.length > 0 ? found : gone).map(([id, nickname]) => `${nickname} (${id})`),
    )
  }
  return first[0]
}

async function leaveFor({ store }: Desk, id: HostId): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const { records } = await store.list(`${root}ipam/`)
    const writes = planLeave(records, id)
    let isStale = false
    for (let start = 0; start < writes.length; start += writesAtOnce) {
      const outcome = await store.commit(writes.slice(start, start + writesAtOnce))
      isStale ||= outcome.kind === 'stale'
    }
    if (!isStale && !records.some(({ text }) => blocks.decode(text)?.owner === id)) return
  }
}
