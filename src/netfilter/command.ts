/** Runs a program of the netfilter family; it ends within its deadline or is ended. */

import { spawn } from 'node:child_process'
import { deadlinePassed } from '../model/faults.ts'

export interface CommandOutcome {
  /** `missing` when there is no such program on this host. */
  readonly kind: 'done' | 'failed' | 'missing'
  readonly stdout: string
  readonly stderr: string
}

const deadlineMs = 10_000

/** @param input text for its standard input. @throws DEADLINE_PASSED. */
export function runCommand(
  program: string,
  args: readonly string[],
  input = '',
): Promise<CommandOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'pipe' })
    const said = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
    const late = setTimeout(() => {
      child.kill('SIGKILL')
      reject(deadlinePassed([program, ...args].join(' '), deadlineMs))
    }, deadlineMs)
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(late)
      if (error.code === 'ENOENT') resolve({ kind: 'missing', ...said })
      else reject(error)
    })
    child.once('close', (code) => {
      clearTimeout(late)
      resolve({ kind: code === 0 ? 'done' : 'failed', ...said })
    })
    child.stdin.on('error', () => {}).end(input)
  })
}
