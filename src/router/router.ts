/**
 * Puts the router together and keeps it running until `ending` aborts.
 *
 * Order matters once, at the start: the local socket answers first, so that Docker's calls find
 * somebody; links come from this host's own facts, with or without a store; nothing that concerns
 * other hosts is touched before the store has been read in full.
 *
 * At the end nothing is taken down. The kernel goes on forwarding, and the lease outlives us for
 * long enough that a restart goes unnoticed by the other hosts.
 */

import { randomBytes, randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { servePeers } from '../control/peer.ts'
import { serveControl } from '../control/server.ts'
import type { Host } from '../model/cluster.ts'
import { watchKernel } from '../netlink/events.ts'
import { openRouteSocket } from '../netlink/socket.ts'
import type { RouteSocket } from '../netlink/socket.ts'
import { portsOf } from '../settings/launch.ts'
import type { Paths } from '../settings/paths.ts'
import { filtersTarget } from '../targets/filters.ts'
import { linksTarget } from '../targets/links.ts'
import { publicationTarget } from '../targets/publication.ts'
import { tablesTarget } from '../targets/tables.ts'
import { createApi } from './api.ts'
import { openFacts } from './facts.ts'
import type { Logger } from './log.ts'
import { anyTarget, startLoops } from './loops.ts'
import type { Prepared } from './prepare.ts'
import { connectStore } from './store.ts'
import { findUnderlay } from './underlay.ts'
import { version } from './version.ts'
