/**
 * Which way of keeping programs up is used on this host: the one asked for, or the first that works.
 */

import { runModeUnavailable } from '../../model/faults.ts'
import type { RunMode } from '../../settings/flags.ts'
import type { Keeper } from './keeper.ts'

/** @param keepers in order of preference; the last works everywhere. */
export async function chooseKeeper(
  keepers: readonly Keeper[],
  { asked, signal }: { readonly asked: RunMode | undefined; readonly signal: AbortSignal },
): Promise<Keeper> {
  const problems: string[] = []
  for (const keeper of keepers) {
    if (asked !== undefined && keeper.mode !== asked) continue
    const problem = await keeper.obstacle(signal)
    if (problem === undefined) return keeper
    problems.push(problem)
  }
  throw runModeUnavailable(asked ?? 'anything', problems.join('; '))
}

export function keeperOf(keepers: readonly Keeper[], mode: RunMode): Keeper {
  const found = keepers.find((keeper) => keeper.mode === mode)
  if (found === undefined) throw new Error(`no keeper for ${mode}`)
  return found
}
