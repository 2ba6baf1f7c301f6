/**
 * Docker's part of a container's life, without Docker: the calls it makes to the plugin, each timed.
 *
 * The plugin, its router and the kernel are the real ones of a lab host; only what dockerd does by
 * itself in between (address, namespace, its own database) is missing.
 */

import { randomBytes } from 'node:crypto'
import { createDockerdClient } from '../../test/support/dockerd-client.ts'
import type { Host } from '../../test/support/lab/lab.ts'

export interface Caller extends Disposable {
  /** An endpoint that nobody has used before. */
  readonly next: () => Endpoint
}

export interface Endpoint {
  readonly id: string
  /** Without prefix length. */
  readonly ip: string
  /** Milliseconds of each call so far, by method. */
  readonly ms: ReadonlyMap<string, number>
  readonly create: () => Promise<void>
  /** Resolves with the name of the interface that Docker would move. */
  readonly join: () => Promise<string>
  readonly leave: () => Promise<void>
  readonly remove: () => Promise<void>
}

/** Away from what Docker hands out itself. */
const firstPart = '10.210'

export function createCaller(host: Host, network: string): Caller {
  const dockerd = createDockerdClient(host.path('/run/docker/plugins/weave.sock'))
  let count = 0
  return {
    next() {
      count += 1
      const id = randomBytes(32).toString('hex')
      const ip = `${firstPart}.${count >> 8}.${count & 255}`
      const ms = new Map<string, number>()
      const both = { NetworkID: network, EndpointID: id }
      async function timed(method: string, more: object = {}): Promise<unknown> {
        const start = performance.now()
        const reply = await dockerd.call(`NetworkDriver.${method}`, { ...both, ...more })
        ms.set(method, performance.now() - start)
        return reply
      }
      return {
        id,
        ip,
        ms,
        async create() {
          const Interface = { Address: `${ip}/16`, AddressIPv6: '', MacAddress: '' }
          await timed('CreateEndpoint', { Interface, Options: {} })
        },
        async join() {
          const SandboxKey = `/var/run/docker/netns/${id.slice(0, 12)}`
          return linkOf(await timed('Join', { SandboxKey, Options: {} }))
        },
        async leave() {
          await timed('Leave')
        },
        async remove() {
          await timed('DeleteEndpoint')
        },
      }
    },
    [Symbol.dispose]: () => dockerd[Symbol.dispose](),
  }
}

function linkOf(reply: unknown): string {
  const name: unknown = Object(Object(reply)['InterfaceName'])['SrcName']
  if (typeof name === 'string') return name
  throw new Error(`no interface in the reply to Join: ${JSON.stringify(reply)}`)
}
