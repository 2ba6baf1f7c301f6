import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHttpClient } from '../http/client.ts'
import { serveHttp } from '../http/server.ts'
import { isEndpointId, isHostId, isNetworkId, isVni } from '../model/cluster.ts'
import { storeUnreachable } from '../model/faults.ts'
import type { RouterApi } from './api.ts'
import { createRouterClient } from './client.ts'
import type { ClusterReply } from './messages.ts'
import { askPeer, servePeers } from './peer.ts'
import { serveControl } from './server.ts'

const { signal } = new AbortController()
let directory = ''
let socket = ''

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'weave-control-'))
  socket = path.join(directory, 'weave.sock')
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

test('a call arrives as it was made, and its result comes back', async () => {
  const seen: unknown[] = []
  const router = fakeRouter({
    async putNetwork(id, spec) {
      seen.push(id, spec)
      return { id, vni: must(isVni, 7), mtuBytes: 1450 }
    },
    async leaveEndpoint(id) {
      seen.push(id)
    },
    async putDriver(name, { scope }) {
      seen.push(`${name} ${scope}`)
    },
  })
  await using _server = await serveControl({ socket, router })
  using client = createRouterClient({ socket })
  const spec = { subnets: ['10.32.0.0/12'], multicast: false }

  const reply = await client.putNetwork(network, spec, { signal })
  await client.leaveEndpoint(endpoint, { signal })
  await client.putDriver('weave', { scope: 'local' }, { signal })

  expect(reply).toEqual({ id: network, vni: 7, mtuBytes: 1450 })
  expect(seen).toEqual([network, spec, endpoint, 'weave local'])
})

test('a fault of the router keeps its code, its remedy and its exit status', async () => {
  const fault = storeUnreachable(['http://192.0.2.1:2379'], 'no route')
  const router = fakeRouter({ status: () => Promise.reject(fault) })
  await using _server = await serveControl({ socket, router })
  using client = createRouterClient({ socket })

  await expect(client.status({ signal })).rejects.toMatchObject({
    name: 'Fault',
    code: fault.code,
    message: fault.message,
    remedy: fault.remedy,
    exit: fault.exit,
  })
})

test('a bug in the router is INTERNAL, without a stack', async () => {
  const router = fakeRouter({ status: () => Promise.reject(new TypeError('x is undefined')) })
  await using _server = await serveControl({ socket, router })

  const { status, body } = await raw('GET', '/v1/status')

  expect([status, body]).toEqual([500, expect.objectContaining({ code: 'INTERNAL' })])
  expect(JSON.stringify(body)).not.toContain('control.test')
})

test('no router is ROUTER_NOT_RUNNING', async () => {
  using client = createRouterClient({ socket })
  await expect(client.status({ signal })).rejects.toMatchObject({ code: 'ROUTER_NOT_RUNNING' })
})

test('a reply that is not what was promised is BAD_REPLY and names the field', async () => {
  await using _server = await serveHttp({
    address: { kind: 'unix', path: socket },
    routes: [{ method: 'PUT', path: '/v1/endpoints/:id', handle: async () => ({ mac: 'x' }) }],
    renderError: () => ({ status: 500, body: {} }),
  })
  using client = createRouterClient({ socket })
  const spec = { network, addresses: [] }

  await expect(client.putEndpoint(endpoint, spec, { signal })).rejects.toMatchObject({
    code: 'BAD_REPLY',
    message: expect.stringContaining('mac: not a MAC address of an interface: "x"'),
  })
})

test.each([
  ['PUT', '/v1/networks/n', undefined, 400, 'BAD_REQUEST', 'the body is empty'],
  [
    'PUT',
    '/v1/networks/n',
    { subnets: ['10.0.0.0'], multicast: false },
    400,
    'BAD_REQUEST',
    'subnets.0: not ADDRESS/LENGTH: "10.0.0.0"',
  ],
  ['PUT', '/v1/networks/n', { subnets: [], multicast: 'yes' }, 400, 'BAD_REQUEST', 'multicast: '],
  ['PUT', '/v1/networks/n', { subnets: [], multicast: true, vlan: 1 }, 400, 'BAD_REQUEST', 'vlan'],
  [
    'PUT',
    '/v1/networks/a%2Fb',
    { subnets: [], multicast: true },
    400,
    'BAD_REQUEST',
    'not a network ID: "a/b"',
  ],
  ['DELETE', '/v1/endpoints/..%2f', undefined, 400, 'BAD_REQUEST', 'not an endpoint ID'],
  [
    'PUT',
    '/v1/endpoints/e',
    { network: 'n', addresses: ['10.0.0.1/8', '10.0.0.2/8'] },
    400,
    'BAD_REQUEST',
    'addresses: two addresses of one family',
  ],
  ['POST', '/v1/endpoints/e/join', { sandbox: 1 }, 400, 'BAD_REQUEST', 'sandbox: '],
  ['PUT', '/v1/drivers/weave', { scope: 'some' }, 400, 'BAD_REQUEST', 'scope: '],
  ['PUT', '/v1/drivers/a%2Fb', { scope: 'local' }, 400, 'BAD_REQUEST', 'not a driver'],
  ['POST', '/v1/stop', { now: true }, 400, 'BAD_REQUEST', 'now'],
  ['GET', '/v1/networks/n', undefined, 405, 'UNKNOWN_CALL', 'GET /v1/networks/n'],
  ['GET', '/v1/nothing', undefined, 404, 'UNKNOWN_CALL', '/v1/nothing'],
  ['GET', '/v2/status', undefined, 404, 'UNKNOWN_VERSION', '"v2"'],
] as const)('%s %s %j → %i %s', async (method, call, sent, status, code, text) => {
  await using _server = await serveControl({ socket, router: fakeRouter({}) })

  const reply = await raw(method, call, sent)

  expect(reply).toEqual({
    status,
    body: { code, message: expect.stringContaining(text), remedy: expect.any(String) },
  })
})

test('a router that hangs is told to stop and its caller hears DEADLINE_PASSED', async () => {
  let given: AbortSignal | undefined
  const router = fakeRouter({
    status(options) {
      given = options.signal
      return new Promise(() => {})
    },
  })
  await using _server = await serveControl({ socket, router, deadlineMs: 30 })
  using client = createRouterClient({ socket })

  await expect(client.status({ signal })).rejects.toMatchObject({ code: 'DEADLINE_PASSED' })
  expect(given?.aborted).toBe(true)
})

test('a peer tells its cluster and where the store is', async () => {
  await using server = await servePeers({ host: '127.0.0.1', port: 0, describe: () => cluster })

  expect(await askPeer(hostPort(server.address), { signal })).toEqual({ kind: 'answered', cluster })
})

test('a peer that is not ready says why', async () => {
  await using server = await servePeers({
    host: '127.0.0.1',
    port: 0,
    describe() {
      throw storeUnreachable(['a:1'], 'no route')
    },
  })

  expect(await askPeer(hostPort(server.address), { signal })).toEqual({
    kind: 'refused',
    reason: expect.stringContaining('no etcd endpoint answered'),
  })
})

test('nobody, strangers and unknown hosts are told apart', async () => {
  const free = await freePort()
  expect(await askPeer({ host: '127.0.0.1', port: free }, { signal })).toMatchObject({
    kind: 'refused',
  })
  expect(await askPeer({ host: 'no-such-host.invalid', port: 1 }, { signal })).toMatchObject({
    kind: 'unreachable',
  })
  expect(await askStranger('SSH-2.0-OpenSSH_9.2\r\n')).toMatchObject({ kind: 'not-weave' })
  expect(await askStranger('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')).toMatchObject({
    kind: 'not-weave',
    reason: expect.stringContaining('not JSON'),
  })
  expect(await askStranger('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')).toMatchObject({
    kind: 'not-weave',
  })
})

test('a peer that says nothing is given up', async () => {
  expect(await askStranger('')).toEqual({
    kind: 'unreachable',
    reason: 'did not answer within 0.2 s',
  })
})

const network = must(isNetworkId, 'net1')
const endpoint = must(isEndpointId, 'e1')

const cluster: ClusterReply = {
  cluster: 'c1',
  host: must(isHostId, 'h1'),
  nickname: 'one',
  version: '0.1.0',
  store: { kind: 'managed', endpoints: ['192.0.2.1:6785'], prefix: '/weave/v1' },
}

/** A router that can do what it is given, and fails at anything else. */
function fakeRouter(calls: Partial<RouterApi>): RouterApi {
  return {
    status: refuse,
    putNetwork: refuse,
    deleteNetwork: refuse,
    putEndpoint: refuse,
    joinEndpoint: refuse,
    leaveEndpoint: refuse,
    deleteEndpoint: refuse,
    removePeer: refuse,
    holdings: refuse,
    putDriver: refuse,
    holdPool: refuse,
    releasePool: refuse,
    grantAddress: refuse,
    releaseAddress: refuse,
    addName: refuse,
    removeNames: refuse,
    lookup: refuse,
    stop: refuse,
    reset: refuse,
    ...calls,
  }
}

function refuse(): Promise<never> {
  return Promise.reject(new Error('not expected'))
}

async function raw(
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  call: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  using client = createHttpClient({ address: { kind: 'unix', path: socket }, timeoutMs: 1000 })
  const { status, text } = await client.ask({ method, path: call, body })
  return { status, body: JSON.parse(text) }
}

async function askStranger(says: string): Promise<unknown> {
  const server = net.createServer((connection) => {
    connection.on('error', () => {})
    connection.once('data', () => {
      if (says !== '') connection.end(says)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    return await askPeer({ host: '127.0.0.1', port }, { signal, timeoutMs: 200 })
  } finally {
    server.close()
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function hostPort(address: unknown): { host: string; port: number } {
  return address as { host: string; port: number }
}

function must<T>(guard: (value: unknown) => value is T, value: unknown): T {
  if (!guard(value)) throw new Error(`bad test value ${String(value)}`)
  return value
}
