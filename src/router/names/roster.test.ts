import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ContainerDetails, Engine } from '../../docker/engine.ts'
import type { EngineEvent } from '../../docker/events.ts'
import { createRoster } from './roster.ts'
import type { Roster, RosterSources } from './roster.ts'

let ending = new AbortController()
/** Where the engine keeps everything. */
let directory = ''

beforeEach(async () => {
  ending = new AbortController()
  directory = await mkdtemp(path.join(tmpdir(), 'weave-roster-'))
})

afterEach(async () => {
  ending.abort()
  await rm(directory, { recursive: true })
})

test('what is there when the engine answers is known, and what happens since', async () => {
  const world = createWorld()
  world.containers.set('web', container('web', { name: 'web', endpointId: 'e1' }))
  const roster = follow(world)

  await settled(() => roster.containers().size === 1)
  expect(roster.withEndpoint('e1')?.name).toBe('web')
  expect(roster.inSandbox('/netns/web')?.name).toBe('web')
  expect(roster.networkName('n1')).toBe('front')

  world.containers.set('db', container('db', { name: 'db' }))
  world.happen({ type: 'container', action: 'create', id: 'db', attributes: {} })
  await settled(() => roster.containers().has('db'))

  world.containers.set('db', container('db', { name: 'db2', endpointId: 'e2' }))
  world.happen({
    type: 'network',
    action: 'connect',
    id: 'n2',
    attributes: { container: 'db', name: 'back' },
  })
  await settled(() => roster.withEndpoint('e2') !== undefined)
  expect(roster.containers().get('db')?.name).toBe('db2')
  expect(roster.networkName('n2')).toBe('back')

  world.happen({ type: 'container', action: 'destroy', id: 'db', attributes: {} })
  await settled(() => !roster.containers().has('db'))
})

test('a container that does not run has no endpoint, whatever the engine still shows', async () => {
  const world = createWorld()
  const ended = { ...container('web', { name: 'web', endpointId: 'e1' }), pid: 0 }
  world.containers.set('web', ended)
  const roster = follow(world)
  await settled(() => roster.isRead())
  expect(roster.withEndpoint('e1')).toBeUndefined()
})

test.each([
  [{ subnet: '172.17.0.0/16', gateway: '172.17.0.9' }, '172.17.0.9'],
  [{ subnet: '172.17.0.0/16' }, '172.17.0.1'],
])(
  'the engine’s first bridge is where it says, or else at the first address: %o',
  async (ipam, address) => {
    const world = createWorld()
    const bridge = { name: 'bridge', driver: 'bridge', scope: 'local' }
    world.networks.push({ ...bridge, id: 'n0', settings: { ...settings(), ipam: [ipam] } })
    const roster = follow(world)
    await settled(() => roster.bridgeAddress() === address)
  },
)

test('what has gone while the engine did not answer is forgotten', async () => {
  const world = createWorld()
  world.containers.set('web', container('web', { name: 'web' }))
  const roster = follow(world)
  await settled(() => roster.containers().size === 1)

  world.containers.clear()
  world.reopen()
  await settled(() => roster.containers().size === 0)
})

test('news that come while the engine is asked are asked about afterwards', async () => {
  const world = createWorld()
  const roster = follow(world)
  world.containers.set('web', container('web', { name: 'before' }))
  const answer = world.hold()
  world.happen({ type: 'container', action: 'create', id: 'web', attributes: {} })
  await settled(() => world.asked.length === 1)
  world.happen({ type: 'container', action: 'rename', id: 'web', attributes: {} })
  world.happen({ type: 'container', action: 'start', id: 'web', attributes: {} })
  await sleep(10)
  world.containers.set('web', container('web', { name: 'after' }))
  answer()
  await settled(() => roster.containers().get('web')?.name === 'after')
  expect(world.asked).toEqual(['web', 'web'])
})

test('a container that the engine says nothing about yet is found in its list', async () => {
  const world = createWorld()
  world.listed.push({
    id: 'web',
    name: 'web',
    state: 'created',
    networkMode: 'front',
    attachments: [{ network: 'front', networkId: '', endpointId: '', addresses: [] }],
  })
  const roster = createRoster({ engine: world.engine, onChange: () => {} })
  expect(await roster.find('web', ending.signal)).toMatchObject({
    name: 'web',
    hostname: '',
    attachments: [{ network: 'front', aliases: [] }],
  })
  expect(await roster.find('nobody', ending.signal)).toBeUndefined()
})

test('what the engine has written about a container that starts counts more than what it said before', async () => {
  const world = createWorld()
  world.containers.set('web', container('web', { name: 'before' }))
  const roster = follow(world)
  await settled(() => roster.running('web') !== undefined)
  expect(await roster.find('web', ending.signal)).toMatchObject({ name: 'before' })

  await writeContainer('web', {
    ID: 'web',
    Name: '/now',
    Config: { Hostname: 'mail', Domainname: 'example.com' },
    State: { Running: false, Pid: 0 },
    NetworkSettings: { Networks: { front: { NetworkID: '', EndpointID: '', Aliases: ['api'] } } },
  })
  expect(await roster.find('web', ending.signal)).toMatchObject({
    name: 'now',
    hostname: 'mail',
    attachments: [{ network: 'front', aliases: ['api'] }],
  })
  await writeContainer('web', { ID: 'other' })
  expect(await roster.find('web', ending.signal)).toMatchObject({ name: 'before' })
})

async function writeContainer(id: string, written: unknown): Promise<void> {
  const folder = path.join(directory, 'containers', id)
  await mkdir(folder, { recursive: true })
  await writeFile(path.join(folder, 'config.v2.json'), JSON.stringify(written))
}

function follow(world: World): Roster {
  const roster = createRoster({ engine: world.engine, onChange: () => {} })
  void roster.follow(ending.signal)
  return roster
}

async function settled(isSo: () => boolean): Promise<void> {
  await expect.poll(isSo, { timeout: 2000, interval: 2 }).toBe(true)
}

function container(
  id: string,
  { name, endpointId = '' }: { readonly name: string; readonly endpointId?: string },
): ContainerDetails {
  const attachments = [
    { network: 'front', networkId: 'n1', endpointId, addresses: [], aliases: [] },
  ]
  return { id, name, hostname: id, domainname: '', pid: 7, sandbox: `/netns/${id}`, attachments }
}

type Network = Awaited<ReturnType<Engine['networks']>>[number]
type Listed = Awaited<ReturnType<Engine['containers']>>[number]

interface World {
  readonly engine: RosterSources['engine']
  readonly containers: Map<string, ContainerDetails>
  readonly networks: Network[]
  /** Besides those of `containers`. */
  readonly listed: Listed[]
  readonly asked: string[]
  readonly happen: (event: EngineEvent) => void
  readonly reopen: () => void
  /** Questions about a container wait until the function that is returned is called. */
  readonly hold: () => () => void
}

function createWorld(): World {
  const containers = new Map<string, ContainerDetails>()
  const listed: Listed[] = []
  const asked: string[] = []
  const events: EngineEvent[] = []
  let opened: (() => void) | undefined
  let held: Promise<unknown> = Promise.resolve()
  const swarm = { state: '', nodeId: '', address: '', isManager: false, managers: [] }
  const front = { id: 'n1', name: 'front', driver: 'weave', scope: 'local', settings: settings() }
  const networks: Network[] = [front]
  return {
    containers,
    networks,
    listed,
    asked,
    happen: (event) => void events.push(event),
    reopen: () => opened?.(),
    hold() {
      const release = new AbortController()
      held = once(release.signal, 'abort')
      return function go(): void {
        release.abort()
      }
    },
    engine: {
      async container(id) {
        asked.push(id)
        await held
        return containers.get(id)
      },
      containers: async () => [
        ...listed,
        ...[...containers.values()].map(({ id, name }) => {
          return { id, name, state: 'running', networkMode: '', attachments: [] }
        }),
      ],
      networks: async () => networks,
      info: async () => ({ version: '28.5.2', directory, clusterStore: '', swarm }),
      async *events({ signal, onOpen }) {
        opened = onOpen
        opened?.()
        while (!signal.aborted) {
          const event = events.shift()
          if (event === undefined) await sleep(2)
          else yield event
        }
      },
    },
  }
}

function settings(): Network['settings'] {
  const flags = { internal: false, attachable: false, ipv4: true, ipv6: false }
  return { ipamDriver: 'weave', ipamOptions: {}, ipam: [], options: {}, labels: {}, ...flags }
}
