/**
 * How one flag's value is read: the same checks and the same wording for all of them.
 *
 * Commander only splits the command line; what a value means is decided here and in the files that
 * use this. A bad value becomes a fault that names the flag, the value and the nearest right one.
 */

import { badArgument } from '../model/faults.ts'
import { nearest } from './nearest.ts'

/** What `command.opts()` gives: texts, or true and false for flags without a value. */
export type Flags = Readonly<Record<string, unknown>>

export const logLevels = ['debug', 'info', 'warning', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

/** Who keeps a process of ours up, in the order in which they are preferred. */
export const runModes = ['systemd', 'container', 'process'] as const
export type RunMode = (typeof runModes)[number]

/** Reads the flag if it was given at all. */
export function given<T>(options: Flags, key: string, read: (text: string) => T): T | undefined {
  const value = options[key]
  return typeof value === 'string' ? read(value) : undefined
}

export function readNumber(
  flag: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : undefined
  if (value !== undefined && value >= min && value <= max) return value
  const near = value === undefined ? '' : ` Nearest: ${value < min ? min : max}`
  throw badArgument(flag, text, `Give a whole number from ${min} to ${max}.${near}`)
}

export function oneOf<Word extends string>(
  flag: string,
  text: string,
  words: readonly Word[],
): Word {
  const found = words.find((word) => word === text)
  if (found !== undefined) return found
  const near = nearest(text, words)
  throw badArgument(
    flag,
    text,
    `Use one of ${words.join(', ')}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
  )
}

export function readLogLevel(text: string): LogLevel {
  return oneOf('--log-level', text, logLevels)
}
