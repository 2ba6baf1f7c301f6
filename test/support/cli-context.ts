/**
 * A context for tests: directories of its own, and everything said kept in lists.
 */

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Context, Installation } from '../../src/cli/context.ts'
import { readPaths } from '../../src/settings/paths.ts'

export interface TestContext {
  readonly context: Context
  readonly home: string
  readonly printed: string[]
  readonly noted: string[]
  readonly exits: number[]
}

/** @param options programs to run in place of ours, and what a user would answer. */
export function testContext(
  options: { readonly installation?: Partial<Installation>; readonly answer?: string } = {},
): TestContext {
  const home = mkdtempSync(path.join(tmpdir(), 'weave-cli-'))
  const env = {
    ...process.env,
    WEAVE_STATE_DIR: path.join(home, 'state'),
    WEAVE_RUN_DIR: path.join(home, 'run'),
    WEAVE_LOG_DIR: path.join(home, 'log'),
  }
  const printed: string[] = []
  const noted: string[] = []
  const exits: number[] = []
  const context: Context = {
    env,
    paths: readPaths(env),
    installation: {
      version: '1.2.3',
      router: ['false'],
      plugin: ['false'],
      imageTar: path.join(home, 'image.tar'),
      ...options.installation,
    },
    signal: new AbortController().signal,
    isRoot: true,
    print: (line) => printed.push(line),
    note: (line) => noted.push(line),
    progress: () => undefined,
    ask: () => Promise.resolve(options.answer),
    exitWith: (status) => exits.push(status),
  }
  return { context, home, printed, noted, exits }
}
