import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEngine, socketOf, speakable } from './engine.ts'

let directory = ''
let socket = ''

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'weave-engine-'))
  socket = path.join(directory, 'docker.sock')
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

test('the engine is asked in its own version of the API', async () => {
  const paths: string[] = []
  await using _engine = await fakeEngine(socket, (url, response) => {
    paths.push(url)
    response.end(
      '{"ServerVersion":"20.10.24","DockerRootDir":"/var/lib/docker","ClusterStore":"etcd://10.0.0.1:2379"}',
    )
  })

  expect(await engine().info()).toEqual({
    version: '20.10.24',
    directory: '/var/lib/docker',
    clusterStore: 'etcd://10.0.0.1:2379',
    swarm: { state: '', nodeId: '', address: '', isManager: false, managers: [] },
  })
  expect(paths).toEqual(['/v1.41/info'])
})

test('containers come with their attachments', async () => {
  await using _engine = await fakeEngine(socket, (_url, response) => {
    response.end(JSON.stringify([container, { Id: 'c2', NetworkSettings: null }]))
  })

  expect(await engine().containers()).toEqual([
    {
      id: 'c1',
      name: 'web',
      state: 'running',
      networkMode: 'weave',
      attachments: [
        { network: 'weave', networkId: 'n1', endpointId: 'e1', addresses: ['10.32.0.2'] },
      ],
    },
    { id: 'c2', name: '', state: '', networkMode: '', attachments: [] },
  ])
})

test('an engine that is not there, or fails, is a fault', async () => {
  await expect(engine().networks()).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
  await using _engine = await fakeEngine(socket, (_url, response) => {
    response.writeHead(500).end('{"message":"no"}')
  })
  await expect(engine().info()).rejects.toThrow('500')
})

test('networks come with all that they were made with, in one spelling', async () => {
  await using _engine = await fakeEngine(socket, (_url, response) => {
    response.end(JSON.stringify([network, none]))
  })

  const [first, second] = await engine().networks()

  expect(first).toEqual({ id: 'n1', name: 'web', driver: 'weave', scope: 'local', settings: web })
  expect(second).toMatchObject({ id: 'n0', settings: { ipam: [], labels: {}, ipv4: true } })
})

test('a network is made as it was elsewhere, and removed; what the engine refuses is a fault', async () => {
  const asked: string[] = []
  await using _engine = await fakeEngine(socket, (url, response, request) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      asked.push(`${request.method} ${url} ${Buffer.concat(chunks).toString()}`)
      const body = request.method === 'POST' ? '{"Id":"n7","Warning":""}' : ''
      const status = request.method === 'POST' ? 201 : url.endsWith('gone') ? 404 : 204
      if (url.endsWith('used')) response.writeHead(403).end('{"message":"has active endpoints"}')
      else response.writeHead(status).end(body)
    })
  })

  expect(await engine().createNetwork({ driver: 'weave', name: 'web' }, web)).toBe('n7')
  await engine().removeNetwork('n7')
  await engine().removeNetwork('gone')
  await expect(engine().removeNetwork('used')).rejects.toMatchObject({
    code: 'ENGINE_REFUSED',
    message: 'the Docker engine did not remove network used: has active endpoints',
  })

  const [made = ''] = asked
  expect(made.slice(0, 29)).toBe('POST /v1.41/networks/create {')
  const { Id: _id, Scope: _scope, EnableIPv4: _ipv4, ...wanted } = network
  expect(JSON.parse(made.slice(28))).toEqual({
    ...wanted,
    CheckDuplicate: true,
    IPAM: { ...network.IPAM, Config: [{ ...network.IPAM.Config[0], Gateway: '10.32.0.1' }] },
  })
  expect(asked[1]).toBe('DELETE /v1.41/networks/n7 ')
})

test('an engine before 28 is not asked for a network without IPv4: it would add it', async () => {
  await using _engine = await fakeEngine(socket, (_url, response) => {
    response.writeHead(201).end('{"Id":"n7"}')
  })

  const made = engine().createNetwork({ driver: 'weave', name: 'web' }, { ...web, ipv4: false })

  await expect(made).rejects.toMatchObject({ code: 'ENGINE_REFUSED' })
})

test('events go on across a restart of the engine: none lost, none twice', async () => {
  const stop = new AbortController()
  const seen: string[] = []
  const queries: string[] = []
  let opened = 0
  const first = await fakeEngine(socket, (_url, response) => {
    response.write(event('a', '1900000000000000001') + event('b', '1900000000000000002'))
    response.write(event('c', '1900000000000000002').slice(0, 20))
  })
  let second: AsyncDisposable | undefined

  for await (const { id } of engine().events({
    signal: stop.signal,
    filters: {},
    onOpen: () => (opened += 1),
  })) {
    seen.push(id)
    if (id === 'b') {
      await first[Symbol.asyncDispose]()
      second = await fakeEngine(socket, (url, response) => {
        queries.push(new URL(url, 'http://x').searchParams.get('since') ?? '')
        response.write(event('b', '1900000000000000002') + event('c', '1900000000000000002'))
        response.write(`nonsense\n${event('d', '1900000000000000003')}`)
      })
    }
    if (id === 'd') stop.abort()
  }
  await second?.[Symbol.asyncDispose]()

  expect(seen).toEqual(['a', 'b', 'c', 'd'])
  expect(opened).toBe(2)
  expect(queries).toEqual(['1900000000.000000002'])
})

test.each([
  ['1.41', '1.41'],
  ['1.9', '1.9'],
  ['1.100', '1.51'],
  ['2.0', '1.51'],
  ['', '1.51'],
])('an engine of API %j is spoken to in %s', (version, spoken) => {
  expect(speakable(version)).toBe(spoken)
})

test('only a unix socket counts as this host’s engine', () => {
  expect(socketOf('unix:///run/other.sock')).toBe('/run/other.sock')
  expect(socketOf('tcp://192.0.2.1:2375')).toBe('/var/run/docker.sock')
  expect(socketOf(undefined)).toBe('/var/run/docker.sock')
})

const container = {
  Id: 'c1',
  Names: ['/web'],
  State: 'running',
  HostConfig: { NetworkMode: 'weave' },
  NetworkSettings: {
    Networks: { weave: { NetworkID: 'n1', EndpointID: 'e1', IPAddress: '10.32.0.2' }, old: null },
  },
}

const network = {
  Id: 'n1',
  Name: 'web',
  Driver: 'weave',
  Scope: 'local',
  EnableIPv4: true,
  EnableIPv6: false,
  IPAM: {
    Driver: 'weave',
    Options: { 'subnet-size': '24' },
    Config: [
      {
        Subnet: '10.32.0.0/24',
        IPRange: '10.32.0.128/25',
        Gateway: '10.32.0.1/24',
        AuxiliaryAddresses: { printer: '10.32.0.9' },
      },
    ],
  },
  Internal: true,
  Attachable: true,
  Options: { 'weave.mtu': '1400' },
  Labels: { env: 'test' },
}
const none = {
  Id: 'n0',
  Name: 'none',
  Driver: 'null',
  Scope: 'local',
  IPAM: { Driver: 'null', Options: null, Config: [{ Subnet: '0.0.0.0/0' }] },
  Options: null,
}
const web = {
  ipamDriver: 'weave',
  ipamOptions: { 'subnet-size': '24' },
  ipam: [
    {
      subnet: '10.32.0.0/24',
      ipRange: '10.32.0.128/25',
      gateway: '10.32.0.1',
      auxAddresses: { printer: '10.32.0.9' },
    },
  ],
  options: { 'weave.mtu': '1400' },
  labels: { env: 'test' },
  internal: true,
  attachable: true,
  ipv4: true,
  ipv6: false,
}

function engine(): ReturnType<typeof createEngine> {
  return createEngine({ dockerHost: `unix://${socket}`, timeoutMs: 1000 })
}

function event(id: string, nanos: string): string {
  return `{"Type":"container","Action":"start","Actor":{"ID":"${id}"},"timeNano":${nanos}}\n`
}

/** Answers pings as engine 20.10 does, and anything else as told. */
async function fakeEngine(
  file: string,
  handle: (url: string, response: ServerResponse, request: IncomingMessage) => void,
): Promise<AsyncDisposable> {
  const server: Server = createServer((request, response) => {
    const url = request.url ?? ''
    if (url === '/_ping') response.setHeader('api-version', '1.41').end('OK')
    else handle(url, response, request)
  })
  await new Promise<void>((resolve) => server.listen(file, resolve))
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
