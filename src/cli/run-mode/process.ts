/**
 * Keeps a program up as a plain process: a shell in a session of its own that starts it again.
 *
 *   weave launch ──▶ sh (supervisor, pid file) ──▶ node router/main.js
 *
 * The supervisor goes on after our command has ended, so it is a shell: small, and independent of a
 * Node that may be upgraded under it. It starts the program again one second after it ended, unless
 * that was asked for (SIGTERM) or the program said that it was done (exit 0).
 *
 * The trap: process IDs are used again. A pid file counts only while /proc says that this process is
 * our supervisor, of this service, with this pid file.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment } from '../../settings/paths.ts'
import type { Handle, Keeper } from './keeper.ts'
import type { Service } from './service.ts'

interface ProcessOptions {
  /** What the program inherits. */
  readonly env: Environment
  /** How long the supervisor may take to end before it is killed. */
  readonly stopTimeoutMs?: number
}

const mark = 'weave-supervisor'
const pollMs = 50

/** Arguments: restart policy, pid file (only to be recognised by), then the command line. */
const script = `
policy=$1; shift 2
child=; told=
trap 'told=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT HUP
while [ -z "$told" ]; do
  "$@" & child=$!
  [ -z "$told" ] || kill -TERM "$child" 2>/dev/null
  while :; do
    wait "$child"; code=$?
    kill -0 "$child" 2>/dev/null || break
  done
  child=
  [ "$code" != 0 ] && [ "$policy" = always ] && [ -z "$told" ] || exit "$code"
  echo "$0: ended with status $code, starting it again" >&2
  sleep 1
done
`

export function createProcessKeeper({ env, stopTimeoutMs = 30_000 }: ProcessOptions): Keeper {
  return {
    mode: 'process',
    obstacle: () => Promise.resolve(undefined),
    async start(service, signal) {
      signal.throwIfAborted()
      const pid = await startSupervisor(service, env)
      await mkdir(path.dirname(service.pidFile), { recursive: true, mode: 0o700 })
      await writeFile(service.pidFile, `${pid}\n`, { mode: 0o600 })
      return { service: service.name, runAs: 'process', target: service.pidFile }
    },
    isUp: async (handle) => (await findSupervisor(handle)) !== undefined,
    async stop(handle, signal) {
      const pid = await findSupervisor(handle)
      if (pid !== undefined) await endGroup(handle, { pid, stopTimeoutMs, signal })
      await rm(handle.target, { force: true })
    },
    letGo: () => Promise.resolve(),
    remove: () => Promise.resolve([]),
    logOf: ({ logFile }) => logFile,
  }
}

async function startSupervisor(service: Service, env: Environment): Promise<number> {
  await mkdir(path.dirname(service.logFile), { recursive: true, mode: 0o750 })
  const log = await open(service.logFile, 'a', 0o640)
  try {
    const child = spawn(
      'sh',
      ['-c', script, `${mark}:${service.name}`, service.restart, service.pidFile, ...service.argv],
      {
        cwd: '/',
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: { ...env, ...service.env },
      },
    )
    await once(child, 'spawn')
    child.unref()
    if (child.pid === undefined) throw new Error('a spawned process has no ID')
    return child.pid
  } finally {
    await log.close()
  }
}

async function findSupervisor({ service, target }: Handle): Promise<number | undefined> {
  const text = await readFile(target, 'utf8').catch(() => '')
  const pid = /^[1-9]\d*\n?$/.test(text) ? Number(text) : undefined
  if (pid === undefined) return undefined
  const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  const [, , , name, , pidFile] = words.split('\0')
  return name === `${mark}:${service}` && pidFile === target ? pid : undefined
}

interface Ending {
  readonly pid: number
  readonly stopTimeoutMs: number
  readonly signal: AbortSignal
}

/** The supervisor hands SIGTERM on and waits; what does not end in time is killed, all of the group. */
async function endGroup(handle: Handle, { pid, stopTimeoutMs, signal }: Ending): Promise<void> {
  send(pid, 'SIGTERM')
  for (let waited = 0; waited < stopTimeoutMs; waited += pollMs) {
    if ((await findSupervisor(handle)) === undefined) return
    await sleep(pollMs, undefined, { signal })
  }
  send(-pid, 'SIGKILL')
}

/** A process that has just ended by itself is no error. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
