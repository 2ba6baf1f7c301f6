/** Joins the plan for layer-2 tables with the kernel: see `datapath/tables.ts` for what and why. */

import type { Segment } from '../datapath/segment.ts'
import { planTables } from '../datapath/tables.ts'
import type { ActualTables, TableStep } from '../datapath/tables.ts'
import {
  encodeAddDefault,
  encodeDeleteBridgeEntry,
  encodeDeleteDefault,
  encodeDeleteTunnelEntry,
  encodeSetBridgeEntry,
  encodeSetRemote,
} from '../netlink/forwarding.ts'
import type { Request } from '../netlink/message.ts'
import { encodeDeleteNeighbour, encodeSetNeighbour } from '../netlink/neighbour.ts'
import type { RouteSocket } from '../netlink/socket.ts'
import type { Target } from '../reconcile/reconcile.ts'
import { takeSteps } from './batch.ts'
import type { TableMemory } from './table-memory.ts'

export function tablesTarget(
  socket: RouteSocket,
  memory: TableMemory,
  desired: () => Promise<readonly Segment[]>,
): Target<readonly Segment[], ActualTables, TableStep> {
  return {
    name: 'tables',
    desired,
    observe: memory.look,
    plan: planTables,
    async apply(steps) {
      const failures = await takeSteps(socket, steps, requestsFor)
      if (failures.length === 0) memory.note(steps)
      else memory.distrust()
      return failures
    },
  }
}

function requestsFor(step: TableStep): readonly Request[] {
  switch (step.kind) {
    case 'set-remote': {
      const { tunnel, mac, via } = step
      return [encodeSetRemote(tunnel, { mac, host: via.address, port: via.port })]
    }
    case 'delete-remote':
      return [
        encodeDeleteTunnelEntry(step.tunnel, step.mac),
        encodeDeleteBridgeEntry(step.tunnel, step.mac),
      ]
    case 'add-flood':
      return [encodeAddDefault(step.tunnel, { host: step.via.address, port: step.via.port })]
    case 'delete-flood':
      return [encodeDeleteDefault(step.tunnel, { host: step.via.address, port: step.via.port })]
    case 'set-port-mac':
      return [encodeSetBridgeEntry(step.port, step.mac)]
    case 'delete-port-mac':
      return [encodeDeleteBridgeEntry(step.port, step.mac)]
    case 'set-neighbour':
      return [encodeSetNeighbour(step.bridge, { ip: step.ip, mac: step.mac })]
    case 'delete-neighbour':
      return [encodeDeleteNeighbour(step.bridge, step.ip)]
  }
}
