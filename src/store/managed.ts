/**
 * The managed store: an etcd of our own, for users who have none and need not know that there is one.
 *
 * It is a child of the router and never outlives it (`setpriv --pdeathsig`). Its data does: a restart
 * finds everything in place. The trap is the moment between: the etcd of a router that was killed
 * may hold its port a little longer, so a taken port is fatal only when it stays taken.
 *
 *   start ──▶ answers ──▶ supervised: ended ─▶ pause ─▶ start …      until `signal`, then SIGTERM, SIGKILL
 *     └─────▶ ended at once: a fault that says what to do
 */

import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../model/fault.ts'
import { etcdDataUnusable, etcdMissing, etcdNotStarting, portInUse } from '../model/faults.ts'
import { createEtcdClient } from './etcd/client.ts'
import type { EtcdClient } from './etcd/client.ts'
import { listMembers } from './etcd/members.ts'
import { endEtcd, spawnEtcd } from './etcd/process.ts'
import type { EtcdProcess, EtcdProcessOptions } from './etcd/process.ts'
import { relieve } from './etcd/upkeep.ts'

export interface ManagedStoreOptions extends Omit<EtcdProcessOptions, 'binary'> {
  readonly binary?: string
  readonly signal: AbortSignal
  /** Told each time that it ends by itself; it is started again. */
  readonly onEnd: (reason: string) => void
}

export interface ManagedStore {
  /** Resolves once etcd has ended after `signal`. */
  readonly done: Promise<void>
}

type Supervision = ManagedStoreOptions & EtcdProcessOptions

/** An IPv6 address that was given a moment ago, and is still being tried for duplicates. */
const tentative = /cannot assign requested address/

const debianBinary = '/usr/bin/etcd'
const firstPauseMs = 300
const maxPauseMs = 10_000
/** How long a start may take before the router goes on without an answer. */
const patienceMs = 10_000
const askAgainMs = 50
const askMs = 1000
/** Enough for an etcd to find that it cannot start. */
const momentMs = 2000
const upkeepMs = 60_000
/** Giving space back is slow on a large database. */
const upkeepTimeoutMs = 30_000

/**
 * Resolves when it answers, or is at least still running after ten seconds.
 *
 * @throws ETCD_MISSING, PORT_IN_USE, ETCD_DATA_UNUSABLE, ETCD_NOT_STARTING
 */
export async function superviseEtcd(given: ManagedStoreOptions): Promise<ManagedStore> {
  const options = { ...given, binary: given.binary ?? debianBinary }
  const { binary, dataDir, clientPort, signal } = options
  await access(binary, constants.X_OK).catch(() => {
    throw etcdMissing(binary)
  })
  await mkdir(dataDir, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw etcdDataUnusable(dataDir, String(error)).causedBy(error)
  })
  using asking = createEtcdClient({ endpoints: [loopback(clientPort)], timeoutMs: askMs })
  const first = await startFirst(options, asking)
  void tend(clientPort, signal)
  return { done: supervise(options, first) }
}

async function startFirst(options: Supervision, client: EtcdClient): Promise<EtcdProcess> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const running = spawnEtcd(options)
    const over = new AbortController()
    const untilMs = Math.max(deadline, Date.now() + momentMs)
    const answer = answered(options, client, { untilMs, signal: over.signal })
    const reason = await Promise.race([running.ended, answer]).finally(() => over.abort())
    if (reason === undefined) return running
    const fault = faultFor(reason, options)
    const mayPass =
      (fault.code === portInUse.code || tentative.test(reason)) && Date.now() < deadline
    if (!mayPass || options.signal.aborted) throw fault
    await sleep(firstPauseMs)
  }
}

/** It, and not another etcd that has the port; or nothing, but the time is over. */
async function answered(
  { name, joins }: Supervision,
  client: EtcdClient,
  { untilMs, signal }: { readonly untilMs: number; readonly signal: AbortSignal },
): Promise<undefined> {
  while (Date.now() < untilMs && !signal.aborted) {
    const isOurs = await listMembers(client).then(
      (members) => members.some((member) => member.name === name),
      (error: unknown) => joins !== undefined && String(error).includes(learnersExcuse),
    )
    if (isOurs) return
    await sleep(askAgainMs)
  }
}

/** What a member without a vote says to most questions: it runs, and that is enough. */
const learnersExcuse = 'not supported for learner'

function faultFor(reason: string, { dataDir, clientPort, peerPort }: ManagedStoreOptions): Fault {
  if (reason.includes('address already in use')) {
    return portInUse('TCP', reason.includes(`:${peerPort}`) ? peerPort : clientPort)
  }
  return dataTrouble.test(reason) ? etcdDataUnusable(dataDir, reason) : etcdNotStarting(reason)
}

/** What etcd says when it cannot use what is on the disk, or the disk itself. */
const dataTrouble =
  /permission denied|read-only file system|no space left|input\/output error|not a directory|wal|snapshot|crc|corrupt|invalid database|file size too small|data-dir|\bdb\b/i

async function supervise(options: Supervision, first: EtcdProcess): Promise<void> {
  const { signal, onEnd } = options
  let running = first
  let pauseMs = firstPauseMs
  for (;;) {
    const startedMs = Date.now()
    const reason = await Promise.race([running.ended, aborted(signal)])
    if (reason === undefined) return endEtcd(running)
    onEnd(reason)
    pauseMs = Date.now() - startedMs > maxPauseMs ? firstPauseMs : Math.min(pauseMs * 2, maxPauseMs)
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    running = spawnEtcd(options)
  }
}

/** What fails now is tried again in a minute. */
async function tend(port: number, signal: AbortSignal): Promise<void> {
  using client = createEtcdClient({ endpoints: [loopback(port)], timeoutMs: upkeepTimeoutMs })
  while (!signal.aborted) {
    await relieve(client).catch(() => {})
    await sleep(upkeepMs, undefined, { signal }).catch(() => {})
  }
}

function loopback(port: number): string {
  return `127.0.0.1:${port}`
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
