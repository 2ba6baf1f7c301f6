/**
 * What a launch tells its user: what happened, in a line or two, or what is still missing.
 */

import type { Status } from '../control/messages.ts'
import type { Prepared } from '../settings/report.ts'

export function describeLaunch(status: Status, prepared: Prepared): string[] {
  const { host, peers } = status
  const count = peers.length === 1 ? '1 host' : `${peers.length} hosts`
  const store = `store: ${describeStore(status)}`
  return [
    `${host.nickname} (${host.address}) ${deed(status, prepared)} (${count}); ${store}`,
    `the hosts' network is trusted: whoever reaches TCP ${host.controlPort} and UDP ${host.dataPort} of a host is let in`,
  ]
}

/** As in "managed etcd on 10.99.0.2:6785". */
export function describeStore({ store, host }: Status): string {
  const words = {
    managed: 'managed etcd',
    joined: 'managed etcd',
    given: 'etcd',
    docker: "Docker's etcd",
  }
  const places = store.endpoints.length === 0 ? [host.address] : store.endpoints
  return `${words[store.kind]} on ${places.join(', ')}${store.prefix === '' ? '' : ` under ${store.prefix}`}`
}

/** Why a router that answers is not ready, or undefined when it is. */
export function describeMissing({ ready, store, targets }: Status): string | undefined {
  if (ready) return undefined
  if (!store.connected)
    return `waiting for the store${store.problem === undefined ? '' : `: ${store.problem}`}`
  const failing = targets.find(({ state }) => state === 'failing')
  if (failing !== undefined) return `${failing.name}: ${failing.problem ?? 'failing'}`
  return 'the kernel is not up to date yet'
}

function deed(status: Status, { cluster, via }: Prepared): string {
  const door = via ?? status.cluster.peers[0]
  const isAlone = status.peers.length <= 1
  const joined = door === undefined ? 'joined the cluster' : `joined ${door}'s cluster`
  switch (cluster) {
    case 'founded':
      return 'founded a cluster'
    case 'joined':
      return joined
    case 'resumed':
      return 'is back in its cluster'
    case undefined:
      return isAlone ? 'founded a cluster' : joined
  }
}
