import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as libc from '../netlink/libc.ts'
import { createFrames, framed } from './frame.ts'
import type { Question } from './message.ts'
import type { Answer } from './reply.ts'
import { createResponder } from './respond.ts'
import { serveDns } from './server.ts'
import type { DnsServer, DnsServerOptions } from './server.ts'
import type { Upstream } from './upstream.ts'

const many = Array.from({ length: 300 }, (_, index) => `10.0.${index >> 8}.${index & 255}`)

test('UDP and TCP answer alike, and decide who asks', async () => {
  const askers: unknown[] = []
  await using server = await serve({
    decide: (asked, { address }) => {
      askers.push(address)
      return decide(asked)
    },
  })

  const [byUdp] = await exchangeUdp(server, [question('web')])
  const [byTcp] = await exchangeTcp(server, [question('web')])

  expect(byUdp).toMatchObject({ id: 1, answers: [{ name: 'web', data: '10.0.0.1' }] })
  expect(byTcp).toEqual(byUdp)
  expect(askers).toEqual(['127.0.0.1', '127.0.0.1'])
  expect(server.counters()).toEqual({ ...zero, asked: 2, ours: 2 })
})

test.each([
  ['without EDNS 512 bytes', undefined, 4096, 512],
  ['with EDNS as many as the asker takes', 700, 4096, 700],
  ['but no more than the server sends', 4096, 1232, 1232],
  ['also when that is as little as without', 4096, 512, 512],
])('a datagram has %s', async (_what, udpPayloadSize, mostUdpBytes, most) => {
  await using server = await serve({ mostUdpBytes })

  const [bytes = Buffer.alloc(0)] = await rawUdp(server, [question('many', { udpPayloadSize })])
  const [whole] = await exchangeTcp(server, [question('many', { udpPayloadSize })])

  expect(bytes.length).toBeLessThanOrEqual(most)
  expect(bytes.length).toBeGreaterThan(most - 16)
  expect(dnsPacket.decode(bytes)).toMatchObject({ flag_tc: true })
  expect(whole).toMatchObject({ flag_tc: false })
  expect(whole?.answers).toHaveLength(many.length)
})

test('ANY is answered with both kinds of address', async () => {
  await using server = await serve({})
  const [both, one, none, nobody] = await exchangeUdp(
    server,
    ['dual', 'web', 'bare', 'nobody'].map((name, id) => question(name, { type: 'ANY', id })),
  )

  expect(both?.answers).toMatchObject([{ data: '10.0.0.2' }, { data: 'fd00::2' }])
  expect(one?.answers).toMatchObject([{ data: '10.0.0.1' }])
  expect(none).toMatchObject({ rcode: 'NOERROR', answers: [] })
  expect(nobody).toMatchObject({ rcode: 'NXDOMAIN' })
})

test('classes other than IN are refused, EDNS versions other than 0 told so; decide never sees them', async () => {
  const seen: Question[] = []
  await using server = await serve({
    decide: (asked) => {
      seen.push(asked)
      return { kind: 'pass' }
    },
    upstream: { ask: async () => undefined },
  })

  const [chaos, future] = await exchangeUdp(server, [
    question('version.bind', { id: 1, class: 'CH' }),
    question('web', { id: 2, udpPayloadSize: 1232, ednsVersion: 1 }),
  ])

  expect(chaos).toMatchObject({ rcode: 'REFUSED' })
  expect(future).toMatchObject({ additionals: [{ extendedRcode: 1 }] })
  expect(seen).toEqual([])
  expect(server.counters()).toEqual({ ...zero, asked: 2, refused: 2 })
})

test('what is no question is dropped or refused with a head, and the next one is answered', async () => {
  await using server = await serve({})
  const update = question('web', { id: 9 })
  update[2] = 0x28
  const replies = await exchangeUdp(
    server,
    [
      Buffer.from('scrap'),
      dnsPacket.encode({ id: 8, type: 'response', questions: [{ name: 'web', type: 'A' }] }),
      update,
      question('web', { id: 10 }).subarray(0, -1),
      question('web', { id: 11 }),
    ],
    3,
  )

  expect(replies).toMatchObject([
    { id: 9, rcode: 'NOTIMP', opcode: 'UPDATE', questions: [] },
    { id: 10, rcode: 'FORMERR', questions: [] },
    { id: 11, rcode: 'NOERROR', answers: [{}] },
  ])
  expect(server.counters()).toEqual({ ...zero, asked: 5, dropped: 2, refused: 2, ours: 1 })
})

test('without an upstream what is not ours is refused', async () => {
  await using server = await serve({})

  expect(await exchangeUdp(server, [question('example.com')])).toMatchObject([
    { rcode: 'REFUSED', flag_ra: false },
  ])
})

test('what is not ours is handed on as it came, and the reply comes back as it is', async () => {
  const asked: [Buffer, string][] = []
  const theirs = dnsPacket.encode({
    id: 5,
    type: 'response',
    questions: [{ name: 'example.com', type: 'A' }],
    answers: [{ name: 'example.com', type: 'A', data: '192.0.2.1', ttl: 77 }],
  })
  await using server = await serve({
    upstream: {
      ask: async (query, transport) => {
        asked.push([query, transport])
        return theirs
      },
    },
  })
  const query = question('example.com', { id: 5, udpPayloadSize: 1400 })

  expect(await rawUdp(server, [query])).toEqual([theirs])
  expect(await rawTcp(server, [query])).toEqual([theirs])
  expect(asked).toEqual([
    [query, 'udp'],
    [query, 'tcp'],
  ])
  expect(server.counters()).toEqual({ ...zero, asked: 2, passed: 2 })
})

test('a long reply of others is cut where it could be used against a third', async () => {
  const theirs = dnsPacket.encode({
    id: 5,
    type: 'response',
    questions: [{ name: 'example.com', type: 'A' }],
    answers: many.map((data) => ({ name: 'example.com', type: 'A', data, ttl: 77 })),
  })
  const upstream = { ask: async () => theirs }
  await using careful = await serve({ upstream, mostUdpBytes: 512 })
  await using trusting = await serve({ upstream, mostUdpBytes: 512, mostPassedUdpBytes: 65_535 })
  const query = question('example.com', { id: 5, udpPayloadSize: 60_000 })

  expect(await exchangeUdp(careful, [query])).toMatchObject([{ id: 5, flag_tc: true, answers: [] }])
  expect(await rawUdp(trusting, [query])).toEqual([theirs])
  expect(await rawTcp(careful, [query])).toEqual([theirs])
})

test('SERVFAIL when nobody answered; beyond the limit nothing at all', async () => {
  const waiting: (() => void)[] = []
  const upstream: Upstream = {
    ask: () => new Promise((resolve) => waiting.push(() => resolve(undefined))),
  }
  await using server = await serve({ upstream, mostPassing: 2 })
  const socket = await client(server)
  const replies: dnsPacket.DecodedPacket[] = []
  socket.on('message', (bytes) => replies.push(dnsPacket.decode(bytes)))

  for (const id of [1, 2, 3]) socket.send(question('example.com', { id }))
  await until(() => server.counters().asked === 3)
  expect(server.counters()).toEqual({ ...zero, asked: 3, dropped: 1 })
  for (const give of waiting) give()
  await until(() => replies.length === 2)

  expect(replies).toMatchObject([
    { id: 1, rcode: 'SERVFAIL', questions: [{ name: 'example.com' }] },
    { id: 2, rcode: 'SERVFAIL' },
  ])
  expect(server.counters()).toEqual({ ...zero, asked: 3, dropped: 1, failed: 2 })
  socket.send(question('example.com', { id: 4 }))
  await until(() => waiting.length === 3)
  socket.close()
})

test('many questions on one connection, in pieces of one byte, are all answered', async () => {
  await using server = await serve({})
  const socket = net.connect(server.tcp.port, '127.0.0.1')
  socket.setNoDelay(true)
  const replies = receive(socket)
  const bytes = Buffer.concat(
    Array.from({ length: 40 }, (_, id) => framed(question('web', { id }))),
  )

  for (let at = 0; at < 60; at += 1) {
    socket.write(bytes.subarray(at, at + 1))
    await new Promise(setImmediate)
  }
  socket.write(bytes.subarray(60))
  await until(() => replies.length === 40)

  expect(replies.map(({ id }) => id)).toEqual(Array.from({ length: 40 }, (_, id) => id))
  socket.destroy()
})

test('a slow answer does not hold up the next one on its connection', async () => {
  const waiting: (() => void)[] = []
  const upstream: Upstream = {
    ask: () => new Promise((resolve) => waiting.push(() => resolve(undefined))),
  }
  await using server = await serve({ upstream })
  const socket = net.connect(server.tcp.port, '127.0.0.1')
  const replies = receive(socket)

  socket.write(framed(question('example.com', { id: 1 })))
  socket.write(framed(question('web', { id: 2 })))
  await until(() => replies.length === 1)
  waiting[0]?.()
  await until(() => replies.length === 2)

  expect(replies.map(({ id }) => id)).toEqual([2, 1])
  socket.destroy()
})

test('who says no more after its question still gets the answer, then the end', async () => {
  await using server = await serve({ upstream: { ask: () => sleep(20, undefined) } })
  const socket = net.connect(server.tcp.port, '127.0.0.1')
  const replies = receive(socket)
  socket.end(framed(question('example.com', { id: 3 })))
  await once(socket, 'end')

  expect(replies).toMatchObject([{ id: 3, rcode: 'SERVFAIL' }])
})

test('a connection on which questions come now and then stays open', async () => {
  await using server = await serve({ idleMs: 1000 })
  const socket = net.connect(server.tcp.port, '127.0.0.1')
  const replies = receive(socket)

  for (let id = 0; id < 4; id += 1) {
    socket.write(framed(question('web', { id })))
    await sleep(400)
  }

  expect(replies).toHaveLength(4)
  socket.destroy()
})

test('who asks and asks, but takes no replies, is not read from until it does', async () => {
  await using server = await serve({})
  const socket = net.connect(server.tcp.port, '127.0.0.1')
  const total = 4000
  for (let id = 0; id < total; id += 1) socket.write(framed(question('many', { id })))

  await stalled(() => server.counters().asked)
  expect(server.counters().asked).toBeLessThan(total)

  const frames = createFrames()
  let replies = 0
  socket.on('data', (chunk: Buffer) => (replies += frames.push(chunk).length))
  await until(() => replies === total)
  socket.destroy()
})

test('nobody is read from while many of its questions wait', async () => {
  const waiting: (() => void)[] = []
  const upstream: Upstream = {
    ask: () => new Promise((resolve) => waiting.push(() => resolve(undefined))),
  }
  await using server = await serve({ upstream })
  const socket = net.connect(server.tcp.port, '127.0.0.1')
  const replies = receive(socket)
  const long = Buffer.concat([question('example.com'), Buffer.alloc(60_000)])
  socket.write(Buffer.concat(Array.from({ length: 40 }, () => framed(question('example.com')))))
  for (let index = 0; index < 400; index += 1) socket.write(framed(long))

  await stalled(() => socket.bytesWritten - socket.writableLength)
  expect(waiting).toHaveLength(16)
  expect(socket.writableLength).toBeGreaterThan(0)

  await until(() => {
    for (const give of waiting.splice(0)) give()
    return replies.length === 440
  })
  socket.destroy()
})

test.each([
  ['says nothing', () => {}],
  ['dribbles', dribble],
])('a connection that %s ends', async (_what, behave) => {
  await using server = await serve({ idleMs: 50 })
  const socket = net.connect(server.tcp.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  behave(socket)

  await closed(socket)
})

test('a connection on which an answer is due does not end', async () => {
  await using server = await serve({ idleMs: 20, upstream: { ask: () => sleep(200, undefined) } })

  expect(await exchangeTcp(server, [question('example.com')])).toMatchObject([
    { rcode: 'SERVFAIL' },
  ])
})

test('a connection with garbage ends', async () => {
  await using server = await serve({})
  const socket = net.connect(server.tcp.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  socket.write(framed(Buffer.from('GET / HTTP/1.1')).fill(0xff, 2))

  await closed(socket)
  expect(server.counters()).toMatchObject({ asked: 1, dropped: 1 })
})

test.each([
  ['one address', { mostConnectionsPerAddress: 2 }],
  ['all', { mostConnections: 2 }],
])(
  'a third connection of %s is closed, and room is there again when one has gone',
  async (_who, limits) => {
    await using server = await serve(limits)
    const first = await connected(server)
    const second = await connected(server)
    const third = net.connect(server.tcp.port, '127.0.0.1')
    third.on('error', () => {})
    third.resume()
    await once(third, 'close')

    first.destroy()
    await until(async () => {
      const [reply] = await rawTcp(server, [question('web')]).catch(() => [])
      return reply !== undefined
    })
    second.destroy()
  },
)

test('the sockets may come from elsewhere', async () => {
  const datagrams = boundSocket(2)
  const stream = boundSocket(1)
  await using server = await serve({ udp: { fd: datagrams }, tcp: { fd: stream } })

  expect(await exchangeUdp(server, [question('web')])).toMatchObject([{ rcode: 'NOERROR' }])
  expect(await exchangeTcp(server, [question('web')])).toMatchObject([{ rcode: 'NOERROR' }])
})

test('an address in use is told, and leaves nothing open', async () => {
  await using server = await serve({})

  await expect(serve({ udp: server.udp })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await expect(serve({ tcp: server.tcp })).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

test('the end comes while a question waits', async () => {
  let signal: AbortSignal | undefined
  const upstream: Upstream = {
    ask: (_query, _transport, given) => {
      signal = given
      return new Promise((resolve) => given?.addEventListener('abort', () => resolve(undefined)))
    },
  }
  const server = await serve({ upstream })
  const socket = await client(server)
  socket.send(question('example.com'))
  await until(() => server.counters().asked === 1)

  await server[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()

  expect(signal?.aborted).toBe(true)
  socket.close()
})

test('no bytes, by UDP or TCP, make it throw, answer at length, or lose count', async () => {
  const responder = createResponder({
    ...common,
    decide: () => ({
      kind: 'records',
      ttlSeconds: 1,
      records: many.map((data) => ({ type: 'A', data })),
    }),
  })
  const how = { from: { address: '192.0.2.1' }, signal: new AbortController().signal }
  const seed = question('web', { udpPayloadSize: 65_535 })

  await fc.assert(
    fc.asyncProperty(
      bent(seed),
      fc.constantFrom('udp' as const, 'tcp' as const),
      async (bytes, transport) => {
        const reply = await responder.respond(bytes, { ...how, transport })
        expect(reply?.length ?? 0).toBeLessThanOrEqual(
          transport === 'udp' ? common.mostUdpBytes : 65_535,
        )
        expect(reply?.subarray(0, 2) ?? bytes.subarray(0, 2)).toEqual(bytes.subarray(0, 2))
      },
    ),
    { numRuns: 5000 },
  )
  const { asked, ...done } = responder.counters()
  expect(Object.values(done).reduce((sum, value) => sum + value)).toBe(asked)
})

test('any stream, however it is cut, comes out as the messages that went in', () => {
  const message = fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 5 }),
      fc.integer({ min: 1, max: 300 }),
      (messages, size) => {
        const stream = Buffer.concat(messages.map(framed))
        const frames = createFrames()
        const found: Buffer[] = []
        for (let at = 0; at < stream.length; at += size)
          found.push(...frames.push(stream.subarray(at, at + size)))
        expect(found).toEqual(messages)
      },
    ),
  )
})

const zero = { asked: 0, ours: 0, passed: 0, refused: 0, failed: 0, dropped: 0 }
const common = {
  decide,
  upstream: undefined,
  mostUdpBytes: 1232,
  zone: 'weave.local',
  ttlSeconds: 1,
}

function serve(options: Partial<DnsServerOptions>): Promise<DnsServer> {
  const place = { address: '127.0.0.1', port: 0 }
  return serveDns({ udp: place, tcp: place, ...common, ...options })
}

function decide({ name, type }: Question): Answer {
  const addresses: Record<string, string[]> = {
    web: ['10.0.0.1'],
    dual: ['10.0.0.2', 'fd00::2'],
    bare: [],
    many,
  }
  if (name === 'nobody') return { kind: 'nxdomain' }
  const known = addresses[name]
  if (known === undefined) return { kind: 'pass' }
  const found = known.filter((data) => data.includes(':') === (type === 28))
  if (found.length === 0) return { kind: 'nodata' }
  const records = found.map((data) => ({
    type: type === 28 ? ('AAAA' as const) : ('A' as const),
    data,
  }))
  return { kind: 'records', records, ttlSeconds: 1 }
}

interface Asked {
  readonly id?: number
  readonly type?: 'A' | 'ANY'
  readonly class?: 'IN' | 'CH'
  readonly udpPayloadSize?: number | undefined
  readonly ednsVersion?: number
}

function question(name: string, asked: Asked = {}): Buffer {
  const { udpPayloadSize, ednsVersion = 0 } = asked
  const rest = {
    type: 'OPT',
    name: '.',
    extendedRcode: 0,
    flags: 0,
    flag_do: false,
    options: [],
  } satisfies Partial<dnsPacket.OptAnswer>
  return dnsPacket.encode({
    id: asked.id ?? 1,
    type: 'query',
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: (asked.type ?? 'A') as 'A', class: asked.class ?? 'IN' }],
    additionals: udpPayloadSize === undefined ? [] : [{ ...rest, udpPayloadSize, ednsVersion }],
  })
}

async function client(server: DnsServer): Promise<dgram.Socket> {
  const socket = dgram.createSocket('udp4')
  socket.connect(server.udp.port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

async function rawUdp(
  server: DnsServer,
  messages: readonly Buffer[],
  replies = messages.length,
): Promise<Buffer[]> {
  const socket = await client(server)
  const received: Buffer[] = []
  socket.on('message', (bytes) => received.push(bytes))
  for (const message of messages) socket.send(message)
  await until(() => received.length >= replies)
  socket.close()
  return received
}

async function exchangeUdp(
  server: DnsServer,
  messages: readonly Buffer[],
  replies = messages.length,
): Promise<dnsPacket.DecodedPacket[]> {
  return (await rawUdp(server, messages, replies)).map((bytes) => dnsPacket.decode(bytes))
}

async function rawTcp(server: DnsServer, messages: readonly Buffer[]): Promise<Buffer[]> {
  const socket = net.connect(server.tcp.port, '127.0.0.1')
  const frames = createFrames()
  const received: Buffer[] = []
  for (const message of messages) socket.write(framed(message))
  for await (const chunk of socket) {
    received.push(...frames.push(chunk as Buffer))
    if (received.length === messages.length) break
  }
  socket.destroy()
  return received
}

async function exchangeTcp(
  server: DnsServer,
  messages: readonly Buffer[],
): Promise<dnsPacket.DecodedPacket[]> {
  return (await rawTcp(server, messages)).map((bytes) => dnsPacket.decode(bytes))
}

/** Grows as replies come. */
function receive(socket: net.Socket): dnsPacket.DecodedPacket[] {
  const frames = createFrames()
  const replies: dnsPacket.DecodedPacket[] = []
  socket.on('data', (chunk: Buffer) => {
    for (const message of frames.push(chunk)) replies.push(dnsPacket.decode(message))
  })
  return replies
}

async function connected(server: DnsServer): Promise<net.Socket> {
  const socket = net.connect(server.tcp.port, '127.0.0.1')
  const replies = receive(socket)
  socket.write(framed(question('web')))
  await until(() => replies.length === 1)
  return socket
}

function dribble(socket: net.Socket): void {
  const timer = setInterval(() => socket.write('\0'), 5)
  socket.write('\u0040')
  socket.once('close', () => clearInterval(timer))
}

function bent(seed: Buffer): fc.Arbitrary<Buffer> {
  const changes = fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { maxLength: 3 })
  return fc.tuple(changes, fc.integer({ min: 0, max: seed.length })).map(([list, cut]) => {
    const copy = Buffer.from(seed)
    for (const [at, value] of list) copy[at] = value
    return list.length === 3 ? copy.subarray(0, cut) : copy
  })
}

/** Of type SOCK_STREAM (1) or SOCK_DGRAM (2), on 127.0.0.1, at a port that the kernel chose. */
function boundSocket(type: 1 | 2): number {
  const inet = 2
  const nonBlocking = 0o4000
  const fd = libc.socket(inet, type | nonBlocking, 0)
  libc.bind(fd, Uint8Array.of(inet, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0))
  return fd
}

/** Until the figure is above zero and has not changed for a while. */
async function stalled(figure: () => number): Promise<void> {
  let last = 0
  await until(async () => {
    const before = last
    await sleep(150)
    last = figure()
    return last > 0 && last === before
  })
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(2)
}

/** However it ends: who writes to the end is told so by an error. */
function closed(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
  })
}
