import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import dnsPacket from 'dns-packet'
import { expect, test } from 'vitest'
import * as libc from '../netlink/libc.ts'
import { createForwarder } from './forwarder.ts'
import type { ForwarderOptions } from './forwarder.ts'
import { createFrames, framed } from './frame.ts'
import { createRelay } from './relay.ts'
import type { Relay, RelayOptions } from './relay.ts'
import type { ServerAddress } from './upstream.ts'

const host = '127.0.0.1'

test('the query arrives as it was but for its ID, and so does the reply', async () => {
  await using server = await fakeServer(answer())
  await using relay = relayTo(server)
  const query = question('Example.COM', 4711)

  const reply = await relay.ask(query, 'udp')

  expect(server.heard.map((bytes) => bytes.subarray(2))).toEqual([query.subarray(2)])
  expect(reply).toEqual(answer()(query)[0])
})

test('the socket may come from elsewhere, bound or not', async () => {
  const [inet, datagrams, nonBlocking] = [2, 2, 0o4000]
  await using server = await fakeServer(answer())
  const bound = libc.socket(inet, datagrams | nonBlocking, 0)
  libc.bind(bound, Uint8Array.of(inet, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0))

  for (const fd of [bound, libc.socket(inet, datagrams | nonBlocking, 0)]) {
    await using relay = relayTo(server, { openUdp: () => fd })
    expect(await relay.ask(question('example.com'), 'udp')).toBeDefined()
  }
})

test('IDs are ours, and not guessable from those of before', async () => {
  await using server = await fakeServer(answer())
  await using relay = relayTo(server)

  for (let index = 0; index < 40; index += 1) await relay.ask(question('example.com', 1), 'udp')

  const ids = server.heard.map((bytes) => bytes.readUInt16BE(0))
  const steps = ids.slice(1).map((id, index) => id - (ids[index] ?? 0))
  expect(new Set(steps).size).toBeGreaterThan(30)
})

test.each([
  ['has another ID', (reply: Buffer) => changed(reply, 0, (reply[0] ?? 0) ^ 1)],
  ['is about another name', (reply: Buffer) => changed(reply, 14, 0x7a)],
  ['is about another type', (reply: Buffer) => changed(reply, 12 + 13 + 1, 28)],
  ['is a question', (reply: Buffer) => changed(reply, 2, 0x01)],
  ['has no question', (reply: Buffer) => changed(reply, 5, 0)],
  ['is cut off in its question', (reply: Buffer) => reply.subarray(0, 20)],
  ['is a scrap', (reply: Buffer) => reply.subarray(0, 1)],
  ['is empty', () => Buffer.alloc(0)],
])('a datagram that %s is not the reply', async (_what, lie) => {
  const honest = answer()
  await using server = await fakeServer((query) => [
    ...answer('6.6.6.6')(query).map(lie),
    ...honest(query),
  ])
  await using relay = relayTo(server)
  const forwarder = forwarderTo([server])
  const query = question('example.com', 4711)

  expect(await relay.ask(query, 'udp')).toEqual(honest(query)[0])
  expect(await forwarder.ask(query, 'udp')).toEqual(honest(query)[0])
})

test('a datagram of somebody else is not the reply, be it right in all else', async () => {
  const liar = dgram.createSocket('udp4')
  let relay: Relay | undefined
  let lied = 0
  await using server = await fakeServer((query, from) => {
    liar.send(answer('6.6.6.6')(query)[0] ?? '', from.port, from.address, () => (lied += 1))
    return []
  })
  relay = relayTo(server, { pendingMs: 100 })

  expect(await relay.ask(question('example.com'), 'udp')).toBeUndefined()
  expect(await forwarderTo([server]).ask(question('example.com'), 'udp')).toBeUndefined()
  expect(lied).toBe(2)
  await relay[Symbol.asyncDispose]()
  liar.close()
})

test('the question may come back in other case; an error may leave it out', async () => {
  await using lower = await fakeServer((query) =>
    answer()(question('example.com', query.readUInt16BE(0))),
  )
  await using bare = await fakeServer((query) =>
    [changed(changed(query.subarray(0, 12), 2, 0x81), 5, 0)].map((head) => changed(head, 3, 1)),
  )
  await using first = relayTo(lower)
  await using second = relayTo(bare)

  expect(await first.ask(question('EXAMPLE.com', 9), 'udp')).toMatchObject({ 0: 0, 1: 9 })
  expect(await second.ask(question('example.com', 9), 'udp')).toHaveLength(12)
})

test('many wait at once and each gets its own reply, in whatever order they come', async () => {
  const held: [Buffer, { readonly address: string; readonly port: number }][] = []
  await using server = await fakeServer((query, from) => {
    held.push([query, from])
    if (held.length < 200) return []
    for (const [each, { port, address }] of held.toReversed())
      server.socket.send(answer()(each)[0] ?? '', port, address)
    return []
  })
  await using relay = relayTo(server)
  const queries = Array.from({ length: 200 }, (_, index) => question(`host${index}.example`, 7))

  const replies = await Promise.all(queries.map((query) => relay.ask(query, 'udp')))

  expect(replies).toEqual(queries.map((query) => answer()(query)[0]))
})

test('who comes when too many wait is not asked for, and may come again', async () => {
  await using server = await fakeServer(() => [])
  await using relay = relayTo(server, { mostPending: 2, pendingMs: 100 })

  const waiting = [1, 2].map((id) => relay.ask(question('example.com', id), 'udp'))
  expect(await relay.ask(question('example.com', 3), 'udp')).toBeUndefined()
  expect(await relay.ask(question('example.com', 3), 'tcp')).toBeUndefined()
  expect(await Promise.all(waiting)).toEqual([undefined, undefined])
  expect(server.heard).toHaveLength(2)
  server.replyWith(answer())
  expect(await relay.ask(question('example.com', 4), 'udp')).toBeDefined()
})

test('where nobody listens all are told at once, and answered when somebody does again', async () => {
  const gone = await fakeServer(answer())
  await using relay = relayTo(gone, { pendingMs: 2 ** 30 })
  await gone[Symbol.asyncDispose]()

  const replies = await Promise.all(
    [1, 2, 3].map((id) => relay.ask(question('a.example', id), 'udp')),
  )
  expect(replies).toEqual([undefined, undefined, undefined])
  expect(await relay.ask(question('a.example'), 'tcp')).toBeUndefined()

  await using _back = await fakeServer(answer(), gone.port)
  expect(await relay.ask(question('a.example'), 'udp')).toBeDefined()
})

test('a resolver that listens elsewhere by now is found by a new socket, with what waited', async () => {
  const before = await fakeServer(() => [])
  await using after = await fakeServer(answer())
  // As connection tracking does: the first socket leads to the one, the next to the other.
  const ports = [before.port, after.port]
  await using relay = createRelay({
    server: {
      address: host,
      get port() {
        return ports.shift() ?? after.port
      },
    },
    connect: () => net.connect(after.port, host),
  })
  const waiting = relay.ask(question('a.example', 1), 'udp')
  await expect.poll(() => before.heard.length).toBe(1)
  await before[Symbol.asyncDispose]()
  const next = relay.ask(question('b.example', 2), 'udp')
  expect(await waiting).toBeDefined()
  expect(await next).toBeDefined()
})

test('a question by TCP goes over the connection that was opened for it, and by TCP only', async () => {
  await using server = await fakeServer(answer())
  await using relay = relayTo(server)
  const query = question('example.com', 4711)

  expect(await relay.ask(query, 'tcp')).toEqual(answer()(query)[0])
  expect(server.heard).toHaveLength(0)
  expect(server.heardByTcp.map((bytes) => bytes.subarray(2))).toEqual([query.subarray(2)])
})

test('a TCP server that lies, says nothing or hangs up is no answer', async () => {
  await using liar = await fakeServer((query) =>
    answer()(changed(Buffer.from(query), 0, (query[0] ?? 0) ^ 1)),
  )
  await using mute = await fakeServer(() => [])
  const relays = [liar, mute].map((server) => relayTo(server, { pendingMs: 100 }))
  const hangUp = relayTo(mute, {
    pendingMs: 2 ** 30,
    connect: () =>
      net.connect(mute.port, host).on('connect', function end(this: net.Socket) {
        this.destroy()
      }),
  })
  const broken = relayTo(mute, {
    connect: () => {
      throw new Error('no namespace')
    },
  })

  for (const relay of [...relays, hangUp, broken]) {
    expect(await relay.ask(question('example.com'), 'tcp')).toBeUndefined()
    await relay[Symbol.asyncDispose]()
  }
})

test('the end, or a signal, ends all waiting', async () => {
  await using mute = await fakeServer(() => [])
  const relay = relayTo(mute, { pendingMs: 2 ** 30 })
  const controller = new AbortController()

  const aborted = relay.ask(question('a.example'), 'udp', controller.signal)
  controller.abort()
  expect(await aborted).toBeUndefined()
  expect(await relay.ask(question('a.example'), 'udp', controller.signal)).toBeUndefined()
  const waiting = [relay.ask(question('a.example'), 'udp'), relay.ask(question('a.example'), 'tcp')]
  await relay[Symbol.asyncDispose]()
  await relay[Symbol.asyncDispose]()
  expect(await Promise.all(waiting)).toEqual([undefined, undefined])
  expect(await relay.ask(question('a.example'), 'udp')).toBeUndefined()
})

test.each(['udp', 'tcp'] as const)(
  'by %s, the next server is asked when one is silent, failing, refusing or away',
  async (transport) => {
    await using silent = await fakeServer(() => [])
    await using failing = await fakeServer(answer('192.0.2.1', 2))
    await using refusing = await fakeServer(answer('192.0.2.1', 5))
    const away = await fakeServer(() => [])
    await away[Symbol.asyncDispose]()
    await using good = await fakeServer(answer('192.0.2.9'))
    const query = question('example.com')

    for (const bad of [silent, failing, refusing, away]) {
      expect(await forwarderTo([bad, good]).ask(query, transport)).toEqual(
        answer('192.0.2.9')(query)[0],
      )
    }
  },
)

test('the first server is asked first; that a name is unknown is an answer', async () => {
  await using first = await fakeServer(answer('192.0.2.1', 3))
  await using second = await fakeServer(answer())

  const reply = await forwarderTo([first, second]).ask(question('example.com'), 'udp')

  expect(reply?.readUInt16BE(2)).toBe(0x8183)
  expect(second.heard).toHaveLength(0)
})

test('if none is of help the first refusal is the reply; if all are silent there is none', async () => {
  await using silent = await fakeServer(() => [])
  await using refusing = await fakeServer(answer('192.0.2.1', 5))
  await using failing = await fakeServer(answer('192.0.2.1', 2))

  const reply = await forwarderTo([silent, refusing, failing]).ask(question('example.com'), 'udp')
  expect(reply?.readUInt16BE(2)).toBe(0x8185)
  expect(await forwarderTo([silent, silent]).ask(question('example.com'), 'udp')).toBeUndefined()
  expect(await forwarderTo([]).ask(question('example.com'), 'udp')).toBeUndefined()
})

test('a server that kept silent comes last for a while', async () => {
  await using silent = await fakeServer(() => [])
  await using good = await fakeServer(answer())
  let now = 0
  const forwarder = forwarderTo([silent, good], { shunMs: 1000, nowMs: () => now })

  await forwarder.ask(question('a.example'), 'udp')
  await forwarder.ask(question('b.example'), 'udp')
  expect(silent.heard).toHaveLength(1)
  now = 1000
  await forwarder.ask(question('c.example'), 'udp')
  expect(silent.heard).toHaveLength(2)
})

test('an address of our own is never asked', async () => {
  await using own = await fakeServer(answer())
  await using good = await fakeServer(answer('192.0.2.9'))
  const query = question('example.com')

  const forwarder = forwarderTo([own, good], { own: () => [addressOf(own)] })

  expect(await forwarder.ask(query, 'udp')).toEqual(answer('192.0.2.9')(query)[0])
  expect(await forwarder.ask(query, 'tcp')).toEqual(answer('192.0.2.9')(query)[0])
  expect([...own.heard, ...own.heardByTcp]).toEqual([])
})

test('each question comes from a port of its own', async () => {
  await using server = await fakeServer(answer())
  const forwarder = forwarderTo([server])

  await Promise.all(
    Array.from({ length: 30 }, (_, id) => forwarder.ask(question('a.example', id), 'udp')),
  )

  expect(new Set(server.ports).size).toBeGreaterThan(25)
})

test('a forwarder has limits, too, and hears its signal, for which it blames no server', async () => {
  await using silent = await fakeServer(() => [])
  await using next = await fakeServer(answer())
  const forwarder = forwarderTo([silent, next], { mostPending: 1, timeoutMs: 2 ** 30 })
  const controller = new AbortController()

  const waiting = forwarder.ask(question('a.example'), 'udp', controller.signal)
  expect(await forwarder.ask(question('b.example'), 'udp')).toBeUndefined()
  controller.abort()
  expect(await waiting).toBeUndefined()
  silent.replyWith(answer())
  expect(await forwarder.ask(question('a.example'), 'udp')).toBeDefined()
  expect(next.heard).toHaveLength(0)
})

test('a reply that is cut short is handed on as such: its asker comes again by TCP', async () => {
  await using server = await fakeServer((query) =>
    answer()(query).map((reply) => changed(reply, 2, 0x83)),
  )

  const reply = await forwarderTo([server]).ask(question('example.com'), 'udp')

  expect(dnsPacket.decode(reply ?? Buffer.alloc(0))).toMatchObject({ flag_tc: true })
  expect(server.heardByTcp).toHaveLength(0)
})

type Behave = (
  query: Buffer,
  from: { readonly address: string; readonly port: number },
) => readonly Buffer[]

interface FakeServer extends AsyncDisposable {
  readonly port: number
  readonly socket: dgram.Socket
  readonly heard: Buffer[]
  readonly heardByTcp: Buffer[]
  /** Where the datagrams came from. */
  readonly ports: number[]
  readonly replyWith: (behave: Behave) => void
}

/** Sends whatever `behave` returns, by UDP and TCP at one port. */
async function fakeServer(behave: Behave, port = 0): Promise<FakeServer> {
  let current = behave
  const socket = dgram.createSocket('udp4')
  const [heard, heardByTcp, ports]: [Buffer[], Buffer[], number[]] = [[], [], []]
  const open = new Set<net.Socket>()
  const server = net.createServer((connection) => {
    const frames = createFrames()
    open.add(connection)
    connection.on('error', () => {})
    connection.on('data', (chunk: Buffer) => {
      for (const query of frames.push(chunk)) {
        heardByTcp.push(query)
        for (const reply of current(query, { address: host, port: 0 }))
          connection.write(framed(reply))
      }
    })
  })
  socket.on('message', (query, from) => {
    heard.push(query)
    ports.push(from.port)
    for (const reply of current(query, from)) socket.send(reply, from.port, from.address)
  })
  await once(server.listen(port, host), 'listening')
  const bound = (server.address() as net.AddressInfo).port
  socket.bind(bound, host)
  await once(socket, 'listening')
  return {
    port: bound,
    socket,
    heard,
    heardByTcp,
    ports,
    replyWith: (next) => (current = next),
    async [Symbol.asyncDispose]() {
      for (const connection of open) connection.destroy()
      await new Promise<void>((resolve) => socket.close(resolve))
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await sleep(0)
    },
  }
}

function addressOf({ port }: FakeServer): ServerAddress {
  return { address: host, port }
}

function relayTo(server: FakeServer, options: Partial<RelayOptions> = {}): Relay {
  return createRelay({
    server: addressOf(server),
    connect: () => net.connect(server.port, host),
    ...options,
  })
}

function forwarderTo(
  servers: readonly FakeServer[],
  options: Partial<ForwarderOptions> = {},
): ReturnType<typeof createForwarder> {
  return createForwarder({
    servers: () => servers.map(addressOf),
    own: () => [],
    timeoutMs: 100,
    ...options,
  })
}

function question(name: string, id = 1): Buffer {
  return dnsPacket.encode({
    id,
    type: 'query',
    flags: dnsPacket.RECURSION_DESIRED | dnsPacket.AUTHENTIC_DATA,
    questions: [{ name, type: 'A' }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1400,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: dnsPacket.DNSSEC_OK,
        flag_do: true,
        options: [{ code: 10 as 12, data: Buffer.from('a cookie') }],
      },
    ],
  })
}

/** The answer of an honest server, or an error. */
function answer(data = '192.0.2.1', rcode = 0): (query: Buffer) => readonly Buffer[] {
  return (query) => {
    const { id = 0, questions = [] } = dnsPacket.decode(query)
    return [
      dnsPacket.encode({
        id,
        type: 'response',
        flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | rcode,
        questions,
        answers: questions.map(({ name }) => ({ name, type: 'A', ttl: 60, data })),
      }),
    ]
  }
}

function changed(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = value
  return copy
}
