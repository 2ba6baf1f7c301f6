/**
 * A way of keeping a program up: systemd, a container with a restart policy, or a loop of our own.
 *
 * Each can find again what it started by name, knows whether it is up, and ends it for good. None
 * remembers anything in memory: the next command is another process.
 */

import type { RunMode } from '../../settings/flags.ts'
import type { Service } from './service.ts'

export interface Keeper {
  readonly mode: RunMode
  /** Why it cannot work on this host, or undefined when it can. */
  readonly obstacle: (signal: AbortSignal) => Promise<string | undefined>
  /** Starts it, in place of a dead one of ours; returns what finds it again. */
  readonly start: (service: Service, signal: AbortSignal) => Promise<Handle>
  readonly isUp: (handle: Handle, signal: AbortSignal) => Promise<boolean>
  /** Ends the program and whatever would start it again. Nothing to end is no error. */
  readonly stop: (handle: Handle, signal: AbortSignal) => Promise<void>
  /** From now on an end of the program by itself is final; it goes on running. */
  readonly letGo: (handle: Handle, signal: AbortSignal) => Promise<void>
  /** Takes away what `stop` leaves: unit files and the like. Returns what was taken away. */
  readonly remove: (handle: Handle, signal: AbortSignal) => Promise<string[]>
  /** The command that shows the program's log. */
  readonly logOf: (service: Service) => string
}

/** What is kept on disk to find the program again. */
export interface Handle {
  readonly service: string
  readonly runAs: RunMode
  /** Unit name, container name, or the file that holds the process ID. */
  readonly target: string
}
