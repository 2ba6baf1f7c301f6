/**
 * Removes every trace of this host: links, filters, and its records in the store.
 *
 * Files are left to `weave reset`, which also ends the processes that hold them open. Goes on when
 * a part fails: what could not be removed is counted as left, and running it again is safe.
 */

import type { ResetReply } from '../control/messages.ts'
import { createEngine } from '../docker/engine.ts'
import { planLeave } from '../ipam/leave.ts'
import type { HostId } from '../model/cluster.ts'
import { openRouteSocket } from '../netlink/socket.ts'
import type { RouteSocket } from '../netlink/socket.ts'
import type { Paths } from '../settings/paths.ts'
import { createEtcdStore } from '../store/etcd.ts'
import { endpoints, hosts, root, staticNames } from '../store/schema.ts'
import type { Store, StoreRecord, Write } from '../store/store.ts'
import { removeFilters } from '../targets/filters.ts'
import { removeAllLinks } from '../targets/links.ts'
import { retractFounding } from './founding.ts'
import { readIdentity, readMembership } from './membership.ts'
import { isOwnAddress } from './underlay.ts'

/** Less than the fewest writes that etcd takes in one transaction. */
const deletesAtOnce = 64

export async function resetOffline(paths: Paths): Promise<ResetReply> {
  using socket = openRouteSocket()
  const kernel = await resetKernel(socket)
  const { value: id } = await readIdentity(paths)
  const { value: membership } = await readMembership(paths)
  if (id === undefined || membership === undefined) return kernel
  const { store: found, cluster } = membership
  if (found.kind === 'managed') {
    // Where there is no swarm, or this is a worker, there is no note either.
    await retractFounding(cluster, createEngine()).catch(() => {})
    return kernel
  }
  await using store = createEtcdStore(found)
  const records = await resetRecords(store, id).catch(() => 0)
  return { removed: { ...kernel.removed, records } }
}

export async function resetKernel(socket: RouteSocket): Promise<ResetReply> {
  const links = await removeAllLinks(socket)
  await removeFilters()
  return { removed: { links } }
}

/**
 * Our own host and endpoint records; with nobody else left in the cluster, all of it.
 * Returns how many records were removed.
 *
 * The trap: on a copied machine "our own" are the original's. So a host record that names an address
 * of some other machine is not ours, nor is anything else then; if it is only old, its lease ends it.
 */
export async function resetRecords(store: Store, self: HostId): Promise<number> {
  const { records } = await store.list(root)
  if (records.some((record) => isCopied(record, self))) return 0
  const alone = records.every(({ key }) => hosts.id(key) === undefined || hosts.id(key) === self)
  const ours = alone ? records : records.filter((record) => isOwn(record, self))
  const writes: Write[] = ours.map(({ key }) => ({ kind: 'delete', key }))
  if (!alone) writes.push(...planLeave(records, self))
  for (let start = 0; start < writes.length; start += deletesAtOnce) {
    await store.commit(writes.slice(start, start + deletesAtOnce))
  }
  return writes.length
}

function isOwn({ key }: StoreRecord, self: HostId): boolean {
  const { host } = endpoints.id(key) ?? staticNames.id(key) ?? { host: hosts.id(key) }
  return host === self
}

function isCopied({ key, text }: StoreRecord, self: HostId): boolean {
  const host = hosts.id(key) === self ? hosts.decode(text) : undefined
  return host !== undefined && !isOwnAddress(host.address)
}
