import { EventEmitter, once } from 'node:events'
import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Fault } from '../model/fault.ts'
import { ConnectionError, createHttpClient } from './client.ts'
import type { Address } from './listen.ts'
import { RequestError } from './request-error.ts'
import type { Call, Route } from './routes.ts'
import { serveHttp } from './server.ts'
import type { HttpServer, ServerOptions } from './server.ts'

let directory = ''
let address: Address & { kind: 'unix' } = { kind: 'unix', path: '' }

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'weave-http-'))
  address = { kind: 'unix', path: path.join(directory, 'api.sock') }
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

test('a handler gets decoded parameters and the parsed body, and its result is the reply', async () => {
  await using _server = await serve([echo])
  using client = createHttpClient({ address, timeoutMs: 1000 })

  const answer = await client.ask({ method: 'PUT', path: '/things/a%20b', body: { n: 1 } })

  expect(JSON.parse(answer.text)).toEqual({ params: { id: 'a b' }, body: { n: 1 } })
})

test('an empty body is undefined, not an empty object', async () => {
  let seen: unknown = 'nothing yet'
  const look: Route = { method: 'POST', path: '/look', handle: async ({ body }) => (seen = body) }
  await using _server = await serve([look])
  using client = createHttpClient({ address, timeoutMs: 1000 })

  await client.ask({ method: 'POST', path: '/look' })

  expect(seen).toBeUndefined()
})

test.each([
  ['POST /things/1 HTTP/1.1\r\n\r\n', 405],
  ['GET /nowhere HTTP/1.1\r\n\r\n', 404],
  ['PUT /things/%ff HTTP/1.1\r\ncontent-length: 0\r\n\r\n', 400],
  ['PUT /things/1 HTTP/1.1\r\ncontent-length: 1\r\n\r\n{', 400],
  ['PUT /things/1 HTTP/1.1\r\ncontent-length: 2\r\n\r\n"\xff', 400],
  [`PUT /things/1 HTTP/1.1\r\ncontent-length: 130\r\n\r\n${'['.repeat(65)}${']'.repeat(65)}`, 400],
  ['PUT /things/1 HTTP/1.1\r\ncontent-length: 3000\r\n\r\n' + 'x'.repeat(3000), 413],
  ['PUT /things/1 HTTP/1.1\r\ncontent-length: 3\r\n\r\n{', 408],
  ['hello there\r\n\r\n', 400],
  [`GET / HTTP/1.1\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
])('%j is refused with %i', async (text, status) => {
  await using _server = await serve([echo], { bodyMs: 100, bodyBytes: 2000 })

  expect(await speak(text)).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*"problem"`))
})

test('a request without Host, and one with an empty Host, are answered', async () => {
  await using _server = await serve([echo])

  expect(await speak('PUT /things/1 HTTP/1.1\r\nconnection: close\r\n\r\n')).toContain('200 OK')
  expect(await speak('PUT /things/1 HTTP/1.1\r\nHost:\r\nconnection: close\r\n\r\n')).toContain(
    '200 OK',
  )
})

test('a handler that hangs is answered at its deadline, and its signal is aborted', async () => {
  let signal: AbortSignal | undefined
  const hang: Route = {
    method: 'GET',
    path: '/hang',
    deadlineMs: 50,
    handle: async (call) => {
      signal = call.signal
      await sleep(60_000, undefined, { ref: false })
    },
  }
  await using _server = await serve([hang])
  using client = createHttpClient({ address, timeoutMs: 5000 })

  const answer = await client.ask({ method: 'GET', path: '/hang' })

  expect(answer.text).toContain('DEADLINE_PASSED')
  expect(signal?.aborted).toBe(true)
})

test('the socket is open to its owner only, and gone after the end', async () => {
  const server = await serve([echo])
  expect((await stat(address.path)).mode & 0o777).toBe(0o600)

  await server.drain({ graceMs: 0 })

  await expect(stat(address.path)).rejects.toThrow('ENOENT')
})

test('a leftover socket is replaced, a living one and a file are not', async () => {
  await leaveSocketBehind(address.path)
  await using _server = await serve([echo])

  await expect(serve([echo])).rejects.toMatchObject({ code: 'SOCKET_IN_USE' })
  const file = path.join(directory, 'notes.txt')
  await writeFile(file, 'precious')
  await expect(serve([echo], { address: { kind: 'unix', path: file } })).rejects.toMatchObject({
    code: 'BAD_ARGUMENT',
  })
})

test('a server that ends late leaves the socket of its successor alone', async () => {
  const first = await serve([echo])
  await rm(address.path)
  await using _second = await serve([echo])

  await first.drain({ graceMs: 0 })

  expect((await stat(address.path)).isSocket()).toBe(true)
})

test('draining finishes what was begun and refuses what comes after', async () => {
  const slow = gate()
  const server = await serve([{ method: 'GET', path: '/slow', handle: slow.handle }])
  using client = createHttpClient({ address, timeoutMs: 5000 })
  const early = client.ask({ method: 'GET', path: '/slow' })
  await slow.entered

  const drained = server.drain({ graceMs: 5000 })
  await sleep(20)
  await expect(client.ask({ method: 'GET', path: '/slow' })).rejects.toMatchObject({
    kind: 'nobody',
  })
  slow.open()

  expect(await early).toMatchObject({ status: 200, headers: { connection: 'close' } })
  await drained
})

test('draining does not wait longer than it was told', async () => {
  const slow = gate()
  const server = await serve([{ method: 'GET', path: '/slow', handle: slow.handle }])
  using client = createHttpClient({ address, timeoutMs: 5000 })
  const early = client.ask({ method: 'GET', path: '/slow' })
  await slow.entered

  await server.drain({ graceMs: 20 })

  expect((await early).text).toContain('shutting down')
})

test('a client tells nobody there, silence, and its own abort apart', async () => {
  using absent = createHttpClient({ address, timeoutMs: 1000 })
  await expect(absent.ask({ method: 'GET', path: '/' })).rejects.toMatchObject({ kind: 'nobody' })

  await leaveSocketBehind(address.path)
  await expect(absent.ask({ method: 'GET', path: '/' })).rejects.toMatchObject({ kind: 'nobody' })

  const slow = gate()
  await using _server = await serve([{ method: 'GET', path: '/slow', handle: slow.handle }])
  using client = createHttpClient({ address, timeoutMs: 50 })
  await expect(client.ask({ method: 'GET', path: '/slow' })).rejects.toMatchObject({
    kind: 'silent',
  })
  const gone = AbortSignal.abort(new Error('changed my mind'))
  await expect(client.ask({ method: 'GET', path: '/slow', signal: gone })).rejects.toThrow(
    'changed my mind',
  )
  slow.open()
})

test('a kept connection that the server closed does not fail the next request', async () => {
  const server = await serve([echo])
  using client = createHttpClient({ address, timeoutMs: 1000 })
  await client.ask({ method: 'PUT', path: '/things/1' })
  await server.drain({ graceMs: 0 })
  await using _next = await serve([echo])

  expect(await client.ask({ method: 'PUT', path: '/things/2' })).toMatchObject({ status: 200 })
})

test('a TCP server says which port it got, and that a port is taken', async () => {
  await using server = await serve([echo], { address: { kind: 'tcp', host: '127.0.0.1', port: 0 } })
  const tcp = server.address
  using client = createHttpClient({ address: tcp, timeoutMs: 1000 })

  expect(await client.ask({ method: 'PUT', path: '/things/1' })).toMatchObject({ status: 200 })
  await expect(serve([echo], { address: tcp })).rejects.toMatchObject({ code: 'PORT_IN_USE' })
})

test('a bug in a handler is reported, and answered', async () => {
  const errors: unknown[] = []
  const bug = new TypeError('x is undefined')
  const buggy: Route = { method: 'GET', path: '/bug', handle: () => Promise.reject(bug) }
  await using _server = await serve([buggy], { report: ({ error }) => errors.push(error) })
  using client = createHttpClient({ address, timeoutMs: 1000 })

  expect((await client.ask({ method: 'GET', path: '/bug' })).status).toBe(500)
  expect(errors).toEqual([bug])
})

test('an answer longer than the client reads is an error, not memory', async () => {
  const long: Route = { method: 'GET', path: '/long', handle: async () => 'x'.repeat(1000) }
  await using _server = await serve([long])
  using client = createHttpClient({ address, timeoutMs: 1000, maxBytes: 100 })

  await expect(client.ask({ method: 'GET', path: '/long' })).rejects.toBeInstanceOf(ConnectionError)
})

const echo: Route = {
  method: 'PUT',
  path: '/things/:id',
  handle: async ({ params, body }: Call) => ({ params, body }),
}

function serve(
  routes: readonly Route[],
  options: Partial<ServerOptions> = {},
): Promise<HttpServer> {
  return serveHttp({
    address,
    routes,
    renderError: (error) => ({
      status: error instanceof RequestError ? error.status : 500,
      body: { problem: error instanceof Fault ? error.code : String(error) },
    }),
    ...options,
  })
}

/** What the server says to raw bytes until it closes. */
function speak(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(address.path)
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk.toString()
      if (/"problem".*\n$/.test(heard)) socket.end()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(heard)
    })
    socket.write(Buffer.from(text, 'latin1'))
  })
}

/** A file of type socket on which nobody listens, as a killed process leaves it. */
async function leaveSocketBehind(file: string): Promise<void> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(`${file}.tmp`, resolve))
  await rename(`${file}.tmp`, file)
  await new Promise((resolve) => server.close(resolve))
}

interface Gate {
  readonly handle: () => Promise<unknown>
  readonly entered: Promise<unknown>
  readonly open: () => void
}

function gate(): Gate {
  const bell = new EventEmitter()
  const opened = once(bell, 'open')
  return {
    entered: once(bell, 'enter'),
    open() {
      bell.emit('open')
    },
    async handle() {
      bell.emit('enter')
      await opened
      return {}
    },
  }
}
