/**
 * Everything that can go wrong at a launch, done before anything is started: the peers are asked,
 * the store is found, the underlay address is chosen, and what came of it is written down.
 *
 * A restart does none of this: it reads the three files. So a host that boots while its peers are
 * away resumes with what it knows, and a bad argument never half-applies.
 */

import { readIfPresent, setAside, writeDurably } from '../disk/file.ts'
import { isHostId } from '../model/cluster.ts'
import type { Host, HostId } from '../model/cluster.ts'
import { Fault } from '../model/fault.ts'
import { clusterMismatch } from '../model/faults.ts'
import { readLaunchOptions } from '../settings/launch.ts'
import type { LaunchSettings } from '../settings/launch.ts'
import type { Paths } from '../settings/paths.ts'
import type { Prepared as Report } from '../settings/report.ts'
import { formatStoredSettings, parseStoredSettings } from '../settings/stored.ts'
import { createEtcdStore } from '../store/etcd.ts'
import { clusterKey, decodeCluster, hosts } from '../store/schema.ts'
import { joinCluster, managedEndpoint, resolvePeers } from './join.ts'
import {
  randomId,
  readIdentity,
  readMembership,
  writeIdentity,
  writeMembership,
} from './membership.ts'
import type { Membership } from './membership.ts'
import { findUnderlay, hostsOf, requireOneFamily } from './underlay.ts'

/** What a router needs to run, all of it from this host's disk. */
export interface Prepared {
  readonly id: HostId
  readonly settings: LaunchSettings
  readonly membership: Membership
  /** Files that were not understood and are now set aside. */
  readonly warnings: readonly string[]
}

/**
 * @param founds the identity of the cluster that is founded, if one is; random unless told.
 * @throws the faults of `joinCluster` and `findUnderlay`, STORE_UNREACHABLE, CLUSTER_MISMATCH,
 *   FAMILIES_DIFFER; nothing is written then.
 */
export async function prepare(
  settings: LaunchSettings,
  paths: Paths,
  founds?: string,
): Promise<Report> {
  const identity = await readIdentity(paths)
  const before = await readMembership(paths)
  const resolved = await resolvePeers(settings)
  const { membership, met, passedOver } = await joinCluster(settings, {
    ...resolved,
    before: before.value,
  })
  const id = settings.name ?? identity.value ?? newHostId()
  const living = await checkStore(membership).catch((error: unknown) => {
    if (membership === before.value && isStoreAway(error)) return []
    throw error
  })
  const others = living.filter((host) => host.id !== id)
  const towards = [
    ...others.map((host) => host.address),
    ...resolved.peers.flatMap(({ addresses }) => addresses),
    ...hostsOf(membership.store.endpoints),
  ]
  const { address } = await findUnderlay({ chosen: settings.address, towards })
  requireOneFamily(address, others)
  const { store } = membership
  const endpoints =
    store.kind === 'managed' ? [managedEndpoint(address, settings.port)] : store.endpoints
  const cluster = membership.cluster ?? founds
  const complete = {
    ...(cluster === undefined ? {} : { cluster }),
    address,
    store: { ...store, endpoints },
  }
  if (id !== identity.value) await writeIdentity(paths, id)
  await writeMembership(paths, keepCluster(complete, before.value))
  await writeDurably(paths.settingsFile, formatStoredSettings(settings))
  const [first] = met
  return {
    cluster: first !== undefined ? 'joined' : before.value === undefined ? 'founded' : 'resumed',
    ...(first === undefined ? {} : { via: first.nickname }),
    warnings: [identity.problem, before.problem, ...passedOver].filter(
      (problem) => problem !== undefined,
    ),
  }
}

/** The store that was found answers, and belongs to the cluster that the peers are in; who lives in it. */
async function checkStore({ cluster, store }: Membership): Promise<readonly Host[]> {
  if (store.kind === 'managed') return []
  await using client = createEtcdStore(store)
  const found = decodeCluster((await client.read(clusterKey))?.text ?? '')?.id
  if (cluster !== undefined && found !== undefined && found !== cluster) {
    throw clusterMismatch(cluster, found)
  }
  const { records } = await client.list(hosts.prefix)
  return records.map(({ text }) => hosts.decode(text)).filter((host) => host !== undefined)
}

/**
 * A host that stays where it was waits for its store then, as it does after a boot: when all are launched
 * again at once, the one that runs the store need not be the first.
 */
function isStoreAway(error: unknown): boolean {
  return error instanceof Fault && error.code === 'STORE_UNREACHABLE'
}

/** What a plain restart resumes with; settings as after `weave launch` without flags if none are there. */
export async function resume(paths: Paths): Promise<Prepared> {
  const identity = await readIdentity(paths)
  const membership = await readMembership(paths)
  const settings = await readSettings(paths)
  const warnings = [identity.problem, membership.problem, settings.problem].filter(
    (problem) => problem !== undefined,
  )
  if (identity.value !== undefined && membership.value !== undefined) {
    const { value: id } = identity
    return { id, settings: settings.value, membership: membership.value, warnings }
  }
  await prepare(settings.value, paths)
  return { ...(await resume(paths)), warnings }
}

/** The cluster that this host belongs to stays known as long as the store is the same one. */
function keepCluster(now: Membership, before: Membership | undefined): Membership {
  const sameStore = before !== undefined && sameText(now.store, before.store)
  if (now.cluster !== undefined || !sameStore || before.cluster === undefined) return now
  return { ...now, cluster: before.cluster }
}

async function readSettings(
  paths: Paths,
): Promise<{ readonly value: LaunchSettings; readonly problem?: string }> {
  const text = await readIfPresent(paths.settingsFile)
  const defaults = readLaunchOptions({}, [])
  if (text === undefined) return { value: defaults }
  const parsed = parseStoredSettings(text)
  if (parsed.kind === 'settings') return { value: parsed.settings }
  const kept = await setAside(paths.settingsFile, paths.asideDir)
  const problem = `${paths.settingsFile}: ${parsed.problem}; moved to ${kept}, defaults are in force`
  return { value: defaults, problem }
}

function newHostId(): HostId {
  const id = randomId()
  if (!isHostId(id)) throw new Error(`${id} is no host ID`)
  return id
}

function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
