/** The hosts that Docker has told the plugin of. */

import type { DiscoveredNode } from '../docker/driver-messages.ts'
import type { IpAddress } from '../model/address.ts'

export interface Nodes {
  readonly add: (node: DiscoveredNode) => void
  /** Of other hosts, each once. */
  readonly addresses: () => readonly IpAddress[]
}

/** @param onNew heard for each node that was not known, this host itself among them. */
export function createNodes(onNew: () => void): Nodes {
  const known = new Map<IpAddress, DiscoveredNode>()
  return {
    add(node) {
      const isNew = !known.has(node.address)
      known.set(node.address, node)
      if (isNew) onNew()
    },
    addresses: () =>
      [...known.values()].filter(({ isSelf }) => !isSelf).map(({ address }) => address),
  }
}
