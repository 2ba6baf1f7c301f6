/**
 * Lookups inside a network namespace, and who answers them: a stand-in for Docker's resolver, and one for ours. Each
 * answers every question with an address of its own, so that the answer tells who was asked.
 *
 * Docker's listens at 127.0.0.11, at ports that the kernel chose; nat rules at priority -100 send port 53 there.
 */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Server, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BoundSocket, Foothold } from '../../src/netlink/foothold.ts'
import { openInet, portOf } from '../../src/netlink/inet.ts'
import { resolverAddress, resolverPort } from '../../src/netlink/name-rules.ts'
import { inNetworkNamespace } from '../../src/netlink/netns.ts'
import type { Namespace } from './namespace.ts'

/** A namespace that one can look something up in. */
type Named = Pick<Namespace, 'name'>

export const dockers = '192.0.2.53'
export const ours = '192.0.2.77'

/** What writes Docker's rules: depends on the engine and the host. */
export type RuleProgram = 'iptables-legacy' | 'iptables-nft' | 'nft'

export async function standInForDocker(
  space: Namespace,
  program: RuleProgram = 'iptables-nft',
): Promise<Disposable> {
  const [udp, tcp] = [bindInside(space, 'datagram'), bindInside(space, 'stream')]
  const server = answerWith(dockers, { udp, tcp })
  await space.run(
    'sh',
    '-ec',
    program === 'nft' ? nftRules(udp, tcp) : tableRules(program, udp, tcp),
  )
  return server
}

export function answerAsUs({ udp, tcp }: Foothold): Disposable {
  return answerWith(ours, { udp, tcp })
}

function answerWith(
  address: string,
  at: { readonly udp: BoundSocket; readonly tcp: BoundSocket },
): Disposable {
  const datagrams = createSocket('udp4')
  datagrams.on('message', (query, { port, address: from }) => {
    if (query.length > 0) datagrams.send(encodeAnswer(query, address), port, from)
  })
  datagrams.bind({ fd: at.udp.take() })
  const connections = new Set<Socket>()
  const server = new Server((socket) => {
    connections.add(socket)
    socket.on('error', () => {})
    socket.on('data', (query) => socket.write(framed(encodeAnswer(query.subarray(2), address))))
  })
  server.listen({ fd: at.tcp.take() })
  return {
    [Symbol.dispose]() {
      datagrams.close()
      server.close()
      for (const socket of connections) socket.destroy()
    },
  }
}

/** A program's socket, kept for all its questions. */
export interface Asker extends Disposable {
  /** The address in the answer; undefined when none comes in time, or the kernel says that nobody is there. */
  readonly ask: (waitMs?: number) => Promise<string | undefined>
}

/** @param fd a socket of one's own instead of a new one in the namespace: a marked one, say. */
export async function openAsker(space: Named, fd = openInside(space)): Promise<Asker> {
  const socket = createSocket('udp4')
  socket.bind({ fd })
  socket.connect(resolverPort, resolverAddress)
  await once(socket, 'connect')
  return {
    async ask(waitMs = 2000) {
      const answer = once(socket, 'message').then(
        ([bytes]: Buffer[]) => decodeAnswer(bytes),
        () => undefined,
      )
      socket.send(encodeQuery())
      return await Promise.race([answer, sleep(waitMs, undefined, { ref: false })])
    },
    [Symbol.dispose]: () => socket.close(),
  }
}

/** From a new socket, as the usual resolvers do. */
export async function lookUp(space: Named, waitMs?: number): Promise<string | undefined> {
  using asker = await openAsker(space)
  return await asker.ask(waitMs)
}

/** @param fd of a connection that has been begun; by default a new one, to port 53. */
export async function lookUpByTcp(
  space: Namespace,
  fd = connectInside(space),
): Promise<string | undefined> {
  const socket = new Socket({ fd })
  try {
    socket.write(framed(encodeQuery()))
    const [bytes]: Buffer[] = await once(socket, 'data')
    return decodeAnswer(bytes?.subarray(2))
  } catch {
    return undefined
  } finally {
    socket.destroy()
  }
}

/** By a program that was written by others; it waits for an answer from where it sent the question. */
export async function lookUpByBusybox(space: Namespace): Promise<string | undefined> {
  const said = await space.run('busybox', 'nslookup', '-type=a', 'web.example', resolverAddress)
  return /Address: (?<address>[\d.]+)\s*$/.exec(said)?.groups?.['address']
}

/** A question for `web`, A, IN. */
function encodeQuery(): Buffer {
  return Buffer.from('2a2a01000001000000000000037765620000010001', 'hex')
}

function encodeAnswer(query: Buffer, address: string): Buffer {
  const end = query.indexOf(0, 12) + 5
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(0x8180, 2)
  header.writeUInt16BE(1, 6)
  const record = Buffer.from('c00c00010001000000000004', 'hex')
  return Buffer.concat([
    header,
    query.subarray(12, end),
    record,
    Buffer.from(address.split('.').map(Number)),
  ])
}

function decodeAnswer(bytes: Buffer | undefined): string | undefined {
  return bytes === undefined ? undefined : [...bytes.subarray(-4)].join('.')
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

function inside<T>({ name }: Named, open: () => T): T {
  return inNetworkNamespace(`/run/netns/${name}`, open)
}

function openInside(space: Named): number {
  return inside(space, () => openInet({ kind: 'datagram' }))
}

function connectInside(space: Namespace): number {
  const connectTo = { address: resolverAddress, port: resolverPort }
  return inside(space, () => openInet({ kind: 'stream', connectTo }))
}

function bindInside(space: Namespace, kind: 'datagram' | 'stream'): BoundSocket {
  const bindTo = { address: resolverAddress, port: 0 }
  const fd = inside(space, () => openInet({ kind, bindTo }))
  return { port: portOf(fd), take: () => fd }
}

/** As dockerd writes them, up to 28 and with its iptables backend. */
function tableRules(program: string, udp: BoundSocket, tcp: BoundSocket): string {
  return [
    '-N DOCKER_OUTPUT',
    '-N DOCKER_POSTROUTING',
    '-I OUTPUT -d 127.0.0.11 -j DOCKER_OUTPUT',
    '-I POSTROUTING -d 127.0.0.11 -j DOCKER_POSTROUTING',
    `-A DOCKER_OUTPUT -d 127.0.0.11 -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:${udp.port}`,
    `-A DOCKER_POSTROUTING -s 127.0.0.11 -p udp --sport ${udp.port} -j SNAT --to-source :53`,
    `-A DOCKER_OUTPUT -d 127.0.0.11 -p tcp --dport 53 -j DNAT --to-destination 127.0.0.11:${tcp.port}`,
    `-A DOCKER_POSTROUTING -s 127.0.0.11 -p tcp --sport ${tcp.port} -j SNAT --to-source :53`,
  ]
    .map((rule) => `${program} -w 5 -t nat ${rule}`)
    .join('\n')
}

/** With the nftables backend of 29. */
function nftRules(udp: BoundSocket, tcp: BoundSocket): string {
  return `nft -f - <<END
table ip docker-dns {
  chain output { type nat hook output priority -100;
    ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:${udp.port}
    ip daddr 127.0.0.11 tcp dport 53 dnat to 127.0.0.11:${tcp.port}
  }
  chain postrouting { type nat hook postrouting priority 100;
    ip saddr 127.0.0.11 udp sport ${udp.port} snat to 127.0.0.11:53
    ip saddr 127.0.0.11 tcp sport ${tcp.port} snat to 127.0.0.11:53
  }
}
END`
}
