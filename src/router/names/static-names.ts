/** Which of the names that were added on this host are said now? */

import type { HostId } from '../../model/cluster.ts'
import type { StaticName } from '../../model/static-name.ts'
import { shortId } from '../../naming/called.ts'
import type { Facts } from '../facts.ts'

/**
 * Those for a container are said while it has an endpoint here. One without addresses is among the
 * names of its endpoints already, and says here only that it was added by hand.
 */
export function saidHere(
  { staticNames, endpoints }: Pick<Facts, 'staticNames' | 'endpoints'>,
  host: HostId,
): readonly StaticName[] {
  const running = new Set(
    [...endpoints.values()].flatMap(({ naming, phase }) =>
      naming === undefined || phase === 'left' ? [] : [naming.container],
    ),
  )
  return [...staticNames.values()].flatMap(({ id, name, addresses, network, container }) => {
    const owner = container === undefined ? undefined : shortId(container)
    const isSaid = owner === undefined || running.has(owner)
    return isSaid ? [{ id, host, name, addresses, network, container: owner }] : []
  })
}
