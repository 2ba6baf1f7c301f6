/**
 * What a command may touch of the process around it: text out, the terminal, the environment.
 *
 * Commands get it as a parameter, so that tests run them whole with other directories and ears.
 */

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { notRoot } from '../model/faults.ts'
import { readPaths } from '../settings/paths.ts'
import type { Environment, Paths } from '../settings/paths.ts'

export interface Context {
  readonly env: Environment
  readonly paths: Paths
  readonly installation: Installation
  /** Aborts when the user interrupts the command. */
  readonly signal: AbortSignal
  readonly isRoot: boolean
  /** Writes one line to stdout, or to stderr. */
  readonly print: (line: string) => void
  readonly note: (line: string) => void
  /** Shown while something takes time and taken away afterwards; nothing without a terminal. */
  readonly progress: (line: string) => void
  /** The user's answer to a question, or undefined where nobody can be asked. */
  readonly ask: (question: string) => Promise<string | undefined>
  /** Ends the process with this status when the command is done; 0 unless said. */
  readonly exitWith: (status: number) => void
}

/** Where the program itself lies. */
export interface Installation {
  readonly version: string
  /** The command lines of the two long-lived programs, without their flags. */
  readonly router: readonly string[]
  readonly plugin: readonly string[]
  /** Root filesystem for `docker import`, made by the installation. */
  readonly imageTar: string
}

/** Reads what lies around this file: `src/cli/` in the sources, `dist/cli/` when built. */
export function findInstallation(): Installation {
  const here = path.dirname(fileURLToPath(import.meta.url))
  const home = path.resolve(here, '..', '..')
  const extension = path.extname(fileURLToPath(import.meta.url))
  const manifest: unknown = JSON.parse(readFileSync(path.join(home, 'package.json'), 'utf8'))
  return {
    version: versionOf(manifest),
    router: [process.execPath, path.resolve(here, '..', 'router', `main${extension}`)],
    plugin: [process.execPath, path.resolve(here, '..', 'plugin', `main${extension}`)],
    imageTar: path.join(home, 'image.tar'),
  }
}

export function requireRoot({ isRoot }: Context, command: string): void {
  if (!isRoot) throw notRoot(command)
}

/** The context of a real command: this process's streams and status. */
export function createContext(
  env: Environment,
  { signal, installation }: { signal: AbortSignal; installation: Installation },
): Context {
  const clear = process.stderr.isTTY ? '\r\u001B[K' : ''
  return {
    env,
    paths: readPaths(env),
    installation,
    signal,
    isRoot: process.geteuid?.() === 0,
    print: (line) => process.stdout.write(`${line}\n`),
    note: (line) => process.stderr.write(`${clear}${line}\n`),
    progress(line) {
      if (process.stderr.isTTY) process.stderr.write(`${clear}${line}`)
    },
    ask: (question) => askOnTerminal(question, signal),
    exitWith(status) {
      process.exitCode = status
    },
  }
}

async function askOnTerminal(question: string, signal: AbortSignal): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(question, { signal })
  } finally {
    terminal.close()
  }
}

function versionOf(manifest: unknown): string {
  const isObject = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return isObject && typeof manifest.version === 'string' ? manifest.version : 'unknown'
}
