/**
 * A real etcd on loopback, to be killed, frozen, emptied and started again by a test.
 *
 * Ports stay the same across starts; data lie in a directory of their own that goes in the end.
 */

import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

export interface TestEtcd extends AsyncDisposable {
  /** `127.0.0.1:PORT` for clients. */
  readonly address: string
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
  readonly kill: () => Promise<void>
  readonly freeze: () => void
  readonly thaw: () => void
  /** Removes all data; only while it is stopped. */
  readonly wipe: () => Promise<void>
  /** Runs etcdctl on it and gives what it prints. */
  readonly ctl: (...args: readonly string[]) => Promise<string>
}

const run = promisify(execFile)
const startMs = 20_000

export async function startEtcd(...more: readonly string[]): Promise<TestEtcd> {
  const folder = await mkdtemp(path.join(tmpdir(), 'weave-etcd-'))
  const dataDir = path.join(folder, 'data')
  const [client, peer] = [await freePort(), await freePort()]
  const address = `127.0.0.1:${client}`
  const args = [...argumentsFor({ dataDir, address, peer }), ...more]
  let child: ChildProcess | undefined

  async function ctl(...words: readonly string[]): Promise<string> {
    const env = { ...process.env, ETCDCTL_API: '3' }
    const { stdout } = await run('etcdctl', [`--endpoints=${address}`, ...words], { env })
    return stdout
  }

  async function start(): Promise<void> {
    const guarded = ['--pdeathsig', 'KILL', '--', 'etcd', ...args]
    child = spawn('setpriv', guarded, { stdio: ['ignore', 'ignore', 'inherit'] })
    const deadline = Date.now() + startMs
    while (!(await answers(ctl))) {
      if (child.exitCode !== null) throw new Error('the test etcd ended at once')
      if (Date.now() > deadline) throw new Error('the test etcd does not answer')
      await sleep(50)
    }
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    ending.kill('SIGCONT')
    ending.kill(signal)
    await once(ending, 'exit')
  }

  await start()
  return {
    address,
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
    wipe: () => rm(dataDir, { recursive: true, force: true }),
    ctl,
    async [Symbol.asyncDispose]() {
      await end('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function argumentsFor(place: {
  readonly dataDir: string
  readonly address: string
  readonly peer: number
}): readonly string[] {
  const { dataDir, address, peer } = place
  return [
    '--name=test',
    `--data-dir=${dataDir}`,
    '--logger=zap',
    '--log-level=error',
    `--listen-client-urls=http://${address}`,
    `--advertise-client-urls=http://${address}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-cluster=test=http://127.0.0.1:${peer}`,
  ]
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP')
  return address.port
}

async function answers(ctl: TestEtcd['ctl']): Promise<boolean> {
  return ctl('endpoint', 'health', '--command-timeout=1s').then(
    () => true,
    () => false,
  )
}
