import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server, ServerResponse } from 'node:http'
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
    response.end('{"ServerVersion":"20.10.24","ClusterStore":"etcd://10.0.0.1:2379"}')
  })

  expect(await engine().info()).toEqual({
    version: '20.10.24',
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
      attachments: [{ networkId: 'n1', endpointId: 'e1', addresses: ['10.32.0.2'] }],
    },
    { id: 'c2', name: '', state: '', attachments: [] },
  ])
})

test('a network that is not there is undefined, an engine that is not there a fault', async () => {
  await expect(engine().network('n1')).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
  await using _engine = await fakeEngine(socket, (_url, response) => {
    response.writeHead(404).end('{"message":"network n1 not found"}')
  })

  expect(await engine().network('n1')).toBeUndefined()
  await expect(engine().info()).rejects.toThrow('404')
})

test('events go on across a restart of the engine: none lost, none twice', async () => {
  const stop = new AbortController()
  const seen: string[] = []
  const queries: string[] = []
  const first = await fakeEngine(socket, (_url, response) => {
    response.write(event('a', '1900000000000000001') + event('b', '1900000000000000002'))
    response.write(event('c', '1900000000000000002').slice(0, 20))
  })
  let second: AsyncDisposable | undefined

  for await (const { id } of engine().events({ signal: stop.signal, filters: {} })) {
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
  expect(queries).toEqual(['1900000000.000000002'])
})

test.each([
  ['1.41', '1.41'],
  ['1.9', '1.9'],
  ['1.100', '1.47'],
  ['2.0', '1.47'],
  ['', '1.47'],
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
  NetworkSettings: {
    Networks: { weave: { NetworkID: 'n1', EndpointID: 'e1', IPAddress: '10.32.0.2' }, old: null },
  },
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
  handle: (url: string, response: ServerResponse) => void,
): Promise<AsyncDisposable> {
  const server: Server = createServer((request, response) => {
    const url = request.url ?? ''
    if (url === '/_ping') response.setHeader('api-version', '1.41').end('OK')
    else handle(url, response)
  })
  await new Promise<void>((resolve) => server.listen(file, resolve))
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
