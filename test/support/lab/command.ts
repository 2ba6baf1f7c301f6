/**
 * How does the lab run a program and learn what came of it?
 *
 * A program that fails is an answer, not an error: callers look at `code`, or say `ok(…)` when only
 * success makes sense. A program that does not end by its deadline is killed together with its
 * children (its process group, which reaches into PID namespaces too), and that is an error.
 */

import { spawn } from 'node:child_process'

export interface Outcome {
  /** What was run, for messages. */
  readonly command: string
  readonly stdout: string
  readonly stderr: string
  /** Exit status; 128 + n when a signal ended it. */
  readonly code: number
}

export interface RunOptions {
  /** How long it may take; 60 s unless told. */
  readonly deadlineMs?: number
  /** Text for its standard input, which is empty otherwise. */
  readonly input?: string
  readonly env?: NodeJS.ProcessEnv
  readonly signal?: AbortSignal
}

const defaultDeadlineMs = 60_000
const killedBySignal = 128 + 9

export async function run(
  command: readonly string[],
  { deadlineMs = defaultDeadlineMs, input = '', env, signal }: RunOptions = {},
): Promise<Outcome> {
  signal?.throwIfAborted()
  const [program = '', ...args] = command
  const child = spawn(program, args, { detached: true, stdio: 'pipe', ...(env && { env }) })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  child.stdin.on('error', () => undefined).end(input)

  let tooLate = false
  const timer = setTimeout(() => {
    tooLate = true
    killGroup(child.pid)
  }, deadlineMs)
  function abort(): void {
    killGroup(child.pid)
  }
  signal?.addEventListener('abort', abort)
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (status) => resolve(status ?? killedBySignal))
    })
    const outcome = { command: describe(command), ...output, code }
    if (tooLate) throw new Error(`not done within ${deadlineMs} ms: ${explain(outcome)}`)
    signal?.throwIfAborted()
    return outcome
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

/** The trimmed standard output of a program that must succeed. */
export async function ok(running: Promise<Outcome>): Promise<string> {
  const outcome = await running
  if (outcome.code !== 0) throw new Error(`exit ${outcome.code}: ${explain(outcome)}`)
  return outcome.stdout.trim()
}

export function explain({ command, stdout, stderr }: Outcome): string {
  return [command, stdout.trim(), stderr.trim()].filter((part) => part !== '').join('\n')
}

function describe(command: readonly string[]): string {
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' ')
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended by itself in the meantime.
  }
}
