/**
 * One container's resolver: listens inside its network namespace, answers what is ours, and hands the rest on to
 * Docker's resolver there. The socket that a question comes to says who asks, so nobody can ask in
 * another container's name.
 *
 * In front of it are rules that end with this process; until they are in place, and again when they are
 * gone, lookups go to Docker as if we had never been.
 */

import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRelay } from '../dns/relay.ts'
import type { Relay } from '../dns/relay.ts'
import type { Counters, ResponderOptions } from '../dns/respond.ts'
import { serveDns } from '../dns/server.ts'
import { openFoothold } from '../netlink/foothold.ts'
import type { Foothold } from '../netlink/foothold.ts'
import { resolverAddress, resolverPort } from '../netlink/name-rules.ts'
import type { OpenResolver } from './resolvers.ts'

export interface Resolver extends OpenResolver {
  readonly counters: () => Counters
}

export type ResolverOptions = Pick<ResponderOptions, 'decide' | 'zone' | 'ttlSeconds'>

/** What passes loopback and most networks in one piece (DNS flag day 2020). */
const mostUdpBytes = 1232
/** Docker's answers are handed on as they are. */
const mostPassedUdpBytes = 65_535
/** For what was on its way to us when the rules went. */
const lingerMs = 20

/**
 * @param file of the network namespace.
 * @throws NetlinkError, or Node's own for the file; nothing is left behind then.
 */
export async function openResolver(file: string, options: ResolverOptions): Promise<Resolver> {
  const foothold = openFoothold(file)
  const opened: AsyncDisposable[] = []
  async function close(): Promise<void> {
    // Rules first: nothing may be sent to a socket that is closed, nor lie there unanswered.
    foothold[Symbol.dispose]()
    await sleep(lingerMs)
    for (const part of opened.splice(0)) await part[Symbol.asyncDispose]()
  }
  try {
    const upstream = relayToDocker(foothold)
    opened.push(upstream)
    const server = await serveDns({
      ...options,
      upstream,
      mostUdpBytes,
      mostPassedUdpBytes,
      udp: { fd: foothold.udp.take() },
      tcp: { fd: foothold.tcp.take() },
    })
    opened.push(server)
    foothold.redirect()
    return {
      inode: foothold.inode,
      counters: server.counters,
      beat() {
        if (!foothold.beat()) foothold.redirect()
      },
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function relayToDocker(foothold: Foothold): Relay {
  return createRelay({
    server: { address: resolverAddress, port: resolverPort },
    openUdp: foothold.openUdp,
    connect: () => new Socket({ fd: foothold.connectTcp(resolverAddress, resolverPort) }),
  })
}
