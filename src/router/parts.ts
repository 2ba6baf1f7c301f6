/** The parts of a running router that others are put together from. */

import type { Host } from '../model/cluster.ts'
import type { RouteSocket } from '../netlink/socket.ts'
import type { Turns } from '../reconcile/turns.ts'
import type { Paths } from '../settings/paths.ts'
import type { TableMemory } from '../targets/table-memory.ts'
import type { Cluster } from './cluster.ts'
import type { Connection } from './connection.ts'
import type { Facts } from './facts.ts'
import type { Logger } from './log.ts'
import type { Names } from './names/names.ts'
import type { Prepared } from './prepare.ts'
import type { Spreading } from './spreading.ts'

export interface RouterOptions {
  readonly prepared: Prepared
  readonly paths: Paths
  readonly log: Logger
  /** Ends the router when it aborts; the router aborts it itself when asked to stop. */
  readonly ending: AbortController
  /** Who keeps it up, if it is not as the settings say. */
  readonly runAs?: 'plugin'
}

export interface Parts extends RouterOptions {
  readonly self: Host
  readonly mtuBytes: number
  readonly facts: Facts
  readonly socket: RouteSocket
  /** Another one, for what takes the kernel long. */
  readonly sweeper: RouteSocket
  readonly tableMemory: TableMemory
  readonly connection: Connection
  readonly cluster: Cluster
  readonly spreading: Spreading
  readonly names: Names
  /** One change at a time of each endpoint. */
  readonly turns: Turns
  /** Subnets that this host has routes to, in CIDR form. */
  readonly routes: () => readonly string[]
  readonly warnings: string[]
}
