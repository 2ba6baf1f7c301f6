/**
 * Tells the router which driver serves Docker on this host, and in which scope.
 *
 * The router keeps it, but may be reset or not be there yet, and nobody tells us. So it is said until
 * it is heard, and again every few seconds: that costs one call on a socket of this host.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { RouterApi } from '../control/api.ts'
import type { Scope } from '../docker/remote-driver.ts'
import type { Logger } from './log.ts'

export interface Announcement {
  readonly router: Pick<RouterApi, 'putDriver'>
  readonly driverName: string
  readonly scope: Scope
  readonly log: Pick<Logger, 'debug'>
}

const untilHeardMs = 500
const againMs = 10_000

/** Goes on until the signal aborts; never throws. */
export async function announce(
  { router, driverName, scope, log }: Announcement,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const isHeard = await router.putDriver(driverName, { scope }, { signal }).then(
      () => true,
      (error: unknown) => {
        log.debug({ reason: String(error) }, 'the router has not heard of this driver')
        return false
      },
    )
    await sleep(isHeard ? againMs : untilHeardMs, undefined, { signal }).catch(() => {})
  }
}
