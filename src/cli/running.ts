/**
 * What of ours is running on this host: the router that answers on the socket, and what the records
 * of launches lead to.
 */

import { createRouterClient } from '../control/client.ts'
import type { RouterClient } from '../control/client.ts'
import type { Status } from '../control/messages.ts'
import { Fault } from '../model/fault.ts'
import { routerInPlugin, routerNotRunning } from '../model/faults.ts'
import type { Context } from './context.ts'
import { keeperOf } from './run-mode/choose.ts'
import type { Keeper } from './run-mode/keeper.ts'
import { readRecords } from './run-mode/record.ts'
import type { StartRecord } from './run-mode/record.ts'
import { routerName } from './run-mode/service.ts'

export function openRouter({ paths }: Context): RouterClient {
  return createRouterClient({ socket: paths.routerSocket })
}

/** Undefined when no router answers; other faults are thrown. */
export async function statusIfRunning(
  router: RouterClient,
  signal: AbortSignal,
): Promise<Status | undefined> {
  try {
    return await router.status({ signal })
  } catch (error) {
    if (error instanceof Fault && error.code === routerNotRunning.code) return undefined
    throw error
  }
}

/** Docker would start it again at once. @throws ROUTER_IN_PLUGIN */
export async function refuseManaged(context: Context, command: string): Promise<void> {
  using router = openRouter(context)
  const status = await statusIfRunning(router, context.signal).catch(() => undefined)
  if (status?.host.runAs === 'plugin') throw routerInPlugin(command)
}

/** The records whose program its keeper keeps up; stale ones (crash, reboot) are left out. */
export async function upRecords(
  { paths, signal }: Context,
  keepers: readonly Keeper[],
): Promise<readonly StartRecord[]> {
  const records = await readRecords(paths)
  const up = await Promise.all(
    records.map((record) => keeperOf(keepers, record.runAs).isUp(record, signal)),
  )
  return records.filter((_, index) => up[index])
}

export function isPlugin({ service }: StartRecord): boolean {
  return service !== routerName
}
