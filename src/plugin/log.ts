/** The plugin's log: one JSON object a line on stderr, for journald, `docker logs` and files alike. */

import { pino } from 'pino'
import type { Logger } from 'pino'
import { RequestError } from '../http/request-error.ts'
import type { Exchange } from '../http/server.ts'
import { Fault } from '../model/fault.ts'
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

/** One call of Docker's: quiet when it went well, loud when it is our fault. */
export function logExchange(log: Logger, { method, path, status, ms, error }: Exchange): void {
  const call = { call: `${method} ${path}`, status, ms: Math.round(ms * 10) / 10 }
  if (error === undefined) log.debug(call, 'answered')
  else if (error instanceof Fault) {
    log.warn({ ...call, code: error.code, remedy: error.remedy }, error.message)
  } else if (error instanceof RequestError) log.warn(call, error.message)
  else log.error({ ...call, err: error }, 'unexpected failure')
}
