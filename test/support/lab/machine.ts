/**
 * What is a machine of the lab, and how does one switch it on and off?
 *
 *   disk      a directory: /etc, /var, /root of its own; survives power cuts
 *   machine   process 1 (boot.sh) and its network, mount, UTS, IPC and PID namespaces
 *
 * Everything that runs on the machine lives in its PID namespace, so SIGKILL for process 1 ends all
 * of it at once, whatever it forked or daemonised, and mounts and links follow. A machine that is
 * not `detached` also dies with us: the kernel kills process 1 when this process ends (pdeathsig),
 * even by SIGKILL.
 *
 * Entered with nsenter, never `ip netns exec`, which would remount /sys.
 */

import { spawn } from 'node:child_process'
import { mkdir, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { ok, run } from './command.ts'
import type { Outcome, RunOptions } from './command.ts'
import { killProcessOne, namespacesOf } from './remains.ts'

export interface MachineOptions {
  /** Host name, and the name in error messages. */
  readonly name: string
  /** The directory that is its disk; made by `formatDisk`. */
  readonly disk: string
  /** The root file system whose /usr it borrows; `/` for this computer's own. */
  readonly system: string
  /** Files and directories that it sees read-only, under their own paths. */
  readonly shared: readonly string[]
  /** Directories searched for programs, ahead of the system's. */
  readonly programs: readonly string[]
  /** Whether it outlives this process. */
  readonly lifetime: 'process' | 'detached'
}

export interface Machine {
  readonly name: string
  /** Process 1, as seen from outside; for nsenter. */
  readonly pid: number
  /** IDs of its namespaces, to look for survivors. */
  readonly namespaces: readonly string[]
  /** Runs a program (words) or a shell script (one string) on the machine. */
  run(command: readonly string[] | string, options?: RunOptions): Promise<Outcome>
  /** Starts something that goes on running, its output in /var/log/lab/NAME.log on the machine. */
  start(name: string, command: readonly string[]): Promise<Service>
  /** Power cut. Returns when no process of it is left. */
  kill(): Promise<void>
}

export interface Service {
  /** Process ID on the machine. */
  readonly pid: number
  /** SIGTERM, then SIGKILL after the deadline. Returns when it has ended. */
  stop(options?: { readonly deadlineMs?: number }): Promise<void>
  /** SIGKILL. Returns when it has ended. */
  kill(): Promise<void>
}

/** What every machine's disk holds before it is first switched on. */
export async function formatDisk(disk: string, system: string): Promise<void> {
  const empty = [
    'usr',
    'dev',
    'proc',
    'sys',
    'run',
    'tmp',
    'root',
    'var/log/lab',
    'var/lib',
    'var/tmp',
  ]
  await Promise.all(empty.map((name) => mkdir(path.join(disk, name), { recursive: true })))
  await Promise.all(
    ['bin', 'sbin', 'lib', 'lib64'].map((name) => symlink(`usr/${name}`, path.join(disk, name))),
  )
  await symlink('/run', path.join(disk, 'var/run'))
  await ok(run(['cp', '-a', path.join(system, 'etc'), path.join(disk, 'etc')]))
  await rm(path.join(disk, 'etc/docker'), { recursive: true, force: true })
  await mkdir(path.join(disk, 'etc/docker'))
}

/** Switches a machine on. */
export async function boot(options: MachineOptions): Promise<Machine> {
  const pid = await startProcessOne(options)
  return machineAt(pid, options)
}

/** A handle on a machine that is already running. */
function machineAt(
  pid: number,
  { name, programs }: Pick<MachineOptions, 'name' | 'programs'>,
): Machine {
  const enter = ['nsenter', '-t', String(pid), '-m', '-n', '-u', '-i', '-p', '--']
  const env = {
    PATH: [...programs, '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(':'),
    HOME: '/root',
    LANG: 'C.UTF-8',
    TERM: 'dumb',
  }
  const namespaces = namespacesOf(pid)

  async function runHere(
    command: readonly string[] | string,
    given: RunOptions = {},
  ): Promise<Outcome> {
    const words = typeof command === 'string' ? ['sh', '-c', command] : command
    const outcome = await run([...enter, ...words], { ...given, env: { ...env, ...given.env } })
    return { ...outcome, command: `${name}# ${outcome.command.slice(enter.join(' ').length + 1)}` }
  }

  return {
    name,
    pid,
    namespaces,
    run: runHere,
    start: async (service, command) => {
      const script = 'log=$1; shift; setsid "$@" >>"$log" 2>&1 </dev/null & echo $!'
      const log = `/var/log/lab/${service}.log`
      return serviceAt(runHere, await ok(runHere(['sh', '-c', script, 'start', log, ...command])))
    },
    kill: async () => {
      const survivors = await killProcessOne(pid, namespaces)
      if (survivors.length > 0) throw new Error(`${name}: processes survive: ${survivors.join()}`)
    },
  }
}

async function startProcessOne(options: MachineOptions): Promise<number> {
  const { name, disk, system, shared, lifetime } = options
  const script = path.join(import.meta.dirname, 'boot.sh')
  const tie = lifetime === 'process' ? ['setpriv', '--pdeathsig', 'KILL'] : []
  const tieInner = lifetime === 'process' ? ['--kill-child=KILL'] : []
  const fresh = ['unshare', '--net', '--mount', '--uts', '--ipc', '--pid', '--fork', ...tieInner]
  const words = ['sh', script, disk, name, path.join(system, 'usr'), ...shared]
  const [program = '', ...args] = [...tie, ...fresh, ...words]
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let said = ''
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', () => reject(new Error(`${name} did not start: ${complaint}`)))
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('\n')) resolve()
    })
  })
  const pid = Number.parseInt(said, 10)
  if (!Number.isInteger(pid)) throw new Error(`${name} did not start: ${said}${complaint}`)
  child.stdout.destroy()
  child.stderr.destroy()
  child.unref()
  return pid
}

function serviceAt(runHere: Machine['run'], pidText: string): Service {
  const pid = Number.parseInt(pidText, 10)
  const gone = `while [ -d /proc/${pid} ]; do sleep 0.02; done`
  async function end(signal: string, deadlineMs: number): Promise<boolean> {
    const script = `kill -${signal} ${pid} 2>/dev/null; ${gone}`
    const limit = String(deadlineMs / 1000)
    return (await runHere(['timeout', limit, 'sh', '-c', script])).code === 0
  }
  async function kill(): Promise<void> {
    if (!(await end('KILL', 10_000))) throw new Error(`process ${pid} survives SIGKILL`)
  }
  return {
    pid,
    kill,
    stop: async ({ deadlineMs = 15_000 } = {}) => {
      if (!(await end('TERM', deadlineMs))) await kill()
    },
  }
}
