/**
 * `weave router` and `weave plugin`: listed in the help, run by other programs.
 *
 * The installed `weave` starts those directly. From here they are started as children that share our
 * terminal, with the signals that we get handed on.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Context } from './context.ts'

/** Runs a program in the foreground; resolves to its exit status. */
export async function runInForeground(
  argv: readonly string[],
  { signal, env }: Context,
): Promise<number> {
  const [file = '', ...args] = argv
  const child = spawn(file, args, { stdio: 'inherit', env })
  signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
  const [code]: unknown[] = await once(child, 'exit')
  return typeof code === 'number' ? code : 1
}
