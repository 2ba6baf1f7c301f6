/** The router's log: one JSON object a line on stderr, for journald, `docker logs` and files alike. */

import { pino } from 'pino'
import type { Logger } from 'pino'
import type { LogLevel } from '../settings/flags.ts'

export type { Logger } from 'pino'

export function createLog(level: LogLevel): Logger {
  return pino(
    {
      level: level === 'warning' ? 'warn' : level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label === 'warn' ? 'warning' : label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  )
}
