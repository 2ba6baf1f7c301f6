/**
 * Runs another program to its end: `docker`, `systemctl`, our own router for a moment.
 *
 * Never through a shell, always with a deadline. A program that is not there is an outcome like any
 * other (127, as shells say it), because "is there a Docker?" is mostly what we want to know.
 */

import { spawn } from 'node:child_process'
import { programFailed } from '../model/faults.ts'

export interface Outcome {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Runs a program; the one outside edge of the run modes. */
export type RunProgram = (argv: readonly string[], options: ProgramOptions) => Promise<Outcome>

const notFound = 127
const killed = 137

/** Resolves whatever the exit status is; rejects only when `signal` aborts. */
export async function runProgram(
  argv: readonly string[],
  { timeoutMs, signal, env }: ProgramOptions,
): Promise<Outcome> {
  signal.throwIfAborted()
  const [file = '', ...args] = argv
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: deadline,
    killSignal: 'SIGKILL',
    ...(env === undefined ? {} : { env }),
  })
  const texts = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text))
  const exit = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      texts.stderr += deadline.aborted ? `\nno answer within ${timeoutMs} ms` : `\n${error.message}`
      resolve(deadline.aborted ? killed : notFound)
    })
    child.once('close', (code) => resolve(code ?? killed))
  })
  signal.throwIfAborted()
  return { exit, ...texts }
}

/** The same, but a bad exit status becomes a fault with the last line that the program wrote. */
export async function mustRun(
  run: RunProgram,
  argv: readonly string[],
  options: ProgramOptions,
): Promise<string> {
  const { exit, stdout, stderr } = await run(argv, options)
  if (exit === 0) return stdout
  const lastLine = stderr.trim().split('\n').at(-1) ?? ''
  throw programFailed(argv.slice(0, 3).join(' '), lastLine === '' ? `exit ${exit}` : lastLine)
}
