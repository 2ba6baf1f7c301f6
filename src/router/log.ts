/**
 * The router's log: one JSON object a line on stderr, for journald, `docker logs` and files alike.
 * Docker takes what a managed plugin says on stderr for errors, so there it is stdout.
 */

import { pino } from 'pino'
import type { Logger } from 'pino'
import type { LogLevel } from '../settings/flags.ts'

export type { Logger } from 'pino'

export function createLog(level: LogLevel, to: 'stdout' | 'stderr' = 'stderr'): Logger {
  return pino(
    {
      level: level === 'warning' ? 'warn' : level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label === 'warn' ? 'warning' : label }) },
    },
    pino.destination({ dest: to === 'stdout' ? 1 : 2, sync: true }),
  )
}
