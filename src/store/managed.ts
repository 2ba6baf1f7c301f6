/**
 * The managed store: an etcd of our own, for users who have none and need not know that there is one.
 *
 * It is a child of the router and never outlives it (`setpriv --pdeathsig`), so there is no second
 * one to meet at the next start. Its data does: a restart finds everything in place.
 *
 * One member for now. Growing to three is `etcd --initial-cluster-state existing` here plus the calls
 * of the Cluster service (`MemberAdd` as learner, `MemberPromote`) in `etcd/`.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { etcdMissing, etcdNotStarting } from '../model/faults.ts'

export interface ManagedStoreOptions {
  readonly dataDir: string
  /** The member's name: unique in its cluster. */
  readonly name: string
  /** Underlay address; IPv6 without brackets. */
  readonly address: string
  readonly clientPort: number
  readonly peerPort: number
  readonly signal: AbortSignal
  /** Told each line of etcd's log, and each time it ends by itself. */
  readonly onLine: (line: string) => void
  readonly onEnd: (reason: string) => void
}

export interface ManagedStore {
  /** Resolves once etcd has ended after `signal`. */
  readonly done: Promise<void>
}

const binary = '/usr/bin/etcd'
const firstPauseMs = 300
const maxPauseMs = 10_000
const graceMs = 5000
/** 512 MiB: room for about a hundred times the records of a thousand hosts. */
const quotaBytes = 512 * 2 ** 20

/** @throws ETCD_MISSING, ETCD_NOT_STARTING when it ends within its first moment. */
export async function superviseEtcd(options: ManagedStoreOptions): Promise<ManagedStore> {
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 })
  const first = start(options)
  const early = await Promise.race([first.ended, sleep(firstPauseMs).then(() => undefined)])
  if (early !== undefined) throw etcdNotStarting(early)
  return { done: supervise(options, first) }
}

interface Running {
  readonly child: ChildProcess
  /** Resolves with why, and what it said last. */
  readonly ended: Promise<string>
}

async function supervise(options: ManagedStoreOptions, first: Running): Promise<void> {
  const { signal, onEnd } = options
  let running = first
  let pauseMs = firstPauseMs
  for (;;) {
    const startedMs = Date.now()
    const reason = await Promise.race([running.ended, aborted(signal)])
    if (signal.aborted) return end(running)
    onEnd(reason ?? '')
    pauseMs = Date.now() - startedMs > maxPauseMs ? firstPauseMs : Math.min(pauseMs * 2, maxPauseMs)
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    running = start(options)
  }
}

function start(options: ManagedStoreOptions): Running {
  const args = ['--pdeathsig', 'TERM', '--', binary, ...etcdArguments(options)]
  const child = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let last = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter((found) => found !== '')) {
        last = line
        options.onLine(line)
      }
    })
  }
  const ended = new Promise<string>((resolve) => {
    child.once('error', () => resolve(etcdMissing(binary).message))
    child.once('close', (code) => resolve(`etcd ended with status ${code}: ${last}`))
  })
  return { child, ended }
}

async function end({ child, ended }: Running): Promise<void> {
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await ended
  clearTimeout(late)
}

function etcdArguments(options: ManagedStoreOptions): readonly string[] {
  const { name, dataDir, address, clientPort, peerPort } = options
  const host = address.includes(':') ? `[${address}]` : address
  const client = `http://${host}:${clientPort}`
  const peer = `http://${host}:${peerPort}`
  return [
    `--name=${name}`,
    `--data-dir=${dataDir}`,
    `--listen-client-urls=${client},http://127.0.0.1:${clientPort}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=${name}=${peer}`,
    '--initial-cluster-state=new',
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=1h',
    `--quota-backend-bytes=${quotaBytes}`,
    '--snapshot-count=10000',
    '--logger=zap',
    '--log-level=warn',
  ]
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, 'abort')
}
