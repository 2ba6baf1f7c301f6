import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endpointId, mac, networkId, staticNameId } from '../../../test/support/values.ts'
import type { ContainerDetails } from '../../docker/engine.ts'
import { createTurns } from '../../reconcile/turns.ts'
import { readPaths } from '../../settings/paths.ts'
import { openFacts } from '../facts.ts'
import type { Facts, OwnEndpoint } from '../facts.ts'
import { createEndpointNames } from './endpoint-names.ts'
import type { EndpointNames } from './endpoint-names.ts'

const signal = AbortSignal.timeout(60_000)
const id = 'c2ce8a03998c3d224518f9e9ea333dea778933b5c4f0c0bf4612292ccae60d20'
const endpoint: OwnEndpoint = {
  id: endpointId('e1'),
  network: networkId('front'),
  dockerNetwork: 'n1',
  mac: mac('02:42:0a:20:00:01'),
  subnetAddresses: ['10.32.0.1/24'],
  phase: 'joined',
  since: '2026-01-01T00:00:00Z',
  sandbox: '/netns/web',
}

const joinedMs = Date.parse(endpoint.since)

let now = 0
let folder = ''
let facts: Facts

beforeEach(async () => {
  now = joinedMs
  folder = await mkdtemp(path.join(tmpdir(), 'weave-names-'))
  facts = await openFacts(readPaths({ WEAVE_STATE_DIR: folder }), () => {})
  await facts.setEndpoint(endpoint)
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

test.each([
  ['its endpoint', { endpointId: 'e1', networkId: 'other' }, {}],
  ['its sandbox', { networkId: 'n1' }, { pid: 7, sandbox: '/netns/web' }],
])('a container is known by %s', async (_how, attachment, details) => {
  const names = create({ containers: [container({ attachment, ...details })] })
  await names.refresh()
  expect(namingNow()).toEqual({
    container: 'c2ce8a03998c',
    network: 'front-net',
    names: ['web', 'c2ce8a03998c', 'api'],
  })
})

test('before the engine shows either, it is known by what runs in its sandbox', async () => {
  const names = create({ containers: [container({})], owner: id })
  await names.refresh()
  expect(namingNow()).toBeUndefined()
  expect(await names.of(endpoint, signal)).toMatchObject({ names: ['web', 'c2ce8a03998c', 'api'] })
  await names.meet('/netns/other', signal)
  expect(namingNow()).toBeUndefined()
  await names.meet('/netns/web', signal)
  expect(namingNow()?.names).toEqual(['web', 'c2ce8a03998c', 'api'])
})

test('of several attachments the one of this network counts, by its name before a first start', async () => {
  const others = [
    { network: 'elsewhere', networkId: '', endpointId: '', addresses: [], aliases: ['wrong'] },
    { network: 'front-net', networkId: '', endpointId: '', addresses: [], aliases: ['right'] },
  ]
  const names = create({ containers: [{ ...container({}), attachments: others }], owner: id })
  expect((await names.of(endpoint, signal))?.names).toEqual(['web', 'c2ce8a03998c', 'right'])
})

test('what is known stays while the engine says nothing', async () => {
  const naming = { container: 'c2ce8a03998c', network: 'front-net', names: ['web'] }
  await facts.setEndpoint({ ...endpoint, naming })
  const names = create({ containers: [] })
  await names.refresh()
  expect(namingNow()).toEqual(naming)
  expect(await names.of({ ...endpoint, naming }, signal)).toEqual(naming)
})

test('a container that ended without our being told has no name, once the engine has said all', async () => {
  const naming = { container: 'c2ce8a03998c', network: 'front-net', names: ['web'] }
  await facts.setEndpoint({ ...endpoint, naming })
  const ended = [container({ attachment: { networkId: 'n1' } })]
  now = joinedMs + 29_000
  await create({ containers: ended, isRead: true, owner: id }).refresh()
  expect(namingNow()).toEqual(naming)
  now = joinedMs + 31_000
  await create({ containers: ended, owner: id }).refresh()
  expect(namingNow()).toEqual(naming)
  await create({ containers: ended, isRead: true, owner: id }).refresh()
  expect(namingNow()).toBeUndefined()
})

test('nor has one without a process, however short ago it joined', async () => {
  const naming = { container: 'c2ce8a03998c', network: 'front-net', names: ['web'] }
  await facts.setEndpoint({ ...endpoint, naming })
  const ended = [container({ attachment: { networkId: 'n1' } })]
  now = joinedMs + 1000
  await create({ containers: ended }).refresh()
  expect(namingNow()).toEqual(naming)
  await create({ containers: ended, isRead: true }).refresh()
  expect(namingNow()).toBeUndefined()
})

test('a container that is back with another endpoint has no name for the one of before', async () => {
  const naming = { container: 'c2ce8a03998c', network: 'front-net', names: ['web'] }
  await facts.setEndpoint({ ...endpoint, naming })
  const attachment = { networkId: 'n1', endpointId: 'e2' }
  const back = [container({ attachment, pid: 8, sandbox: '/netns/again' })]
  await create({ containers: back, isRead: true }).refresh()
  expect(namingNow()).toBeUndefined()
})

test('an endpoint that has left gets no names, and is not brought back', async () => {
  await facts.setEndpoint({ ...endpoint, phase: 'left' })
  const names = create({ containers: [container({ attachment: { endpointId: 'e1' } })] })
  await names.refresh()
  expect(namingNow()).toBeUndefined()
  await facts.deleteEndpoint(endpoint.id)
  await names.refresh()
  expect(facts.endpoints.size).toBe(0)
})

test('names that were added for the container come last', async () => {
  const added = { addresses: [], container: id }
  await facts.setStaticName({ id: staticNameId('1'.repeat(32)), name: 'extra', ...added })
  const elsewhere = { ...added, network: networkId('back') }
  await facts.setStaticName({ id: staticNameId('2'.repeat(32)), name: 'hidden', ...elsewhere })
  const names = create({ containers: [container({ attachment: { endpointId: 'e1' } })] })
  await names.refresh()
  expect(namingNow()?.names).toEqual(['web', 'c2ce8a03998c', 'api', 'extra'])
})

test('only a change is told', async () => {
  let changes = 0
  const containers = [container({ attachment: { endpointId: 'e1' } })]
  const names = create({ containers, onChange: () => (changes += 1) })
  await names.refresh()
  await names.refresh()
  expect(changes).toBe(1)
})

interface World {
  readonly containers: readonly ContainerDetails[]
  readonly owner?: string
  /** The engine has said all that it has. */
  readonly isRead?: boolean
  readonly onChange?: () => void
}

function create(world: World): EndpointNames {
  const { containers, owner, isRead = false, onChange = () => {} } = world
  const all = new Map(containers.map((one) => [one.id, one]))
  return createEndpointNames({
    facts,
    turns: createTurns(),
    domain: 'weave.local',
    roster: {
      containers: () => all,
      withEndpoint: (wanted) =>
        containers.find(({ attachments }) => attachments.some((one) => one.endpointId === wanted)),
      inSandbox: (wanted) => containers.find(({ pid, sandbox }) => pid > 0 && sandbox === wanted),
      withAddress: () => undefined,
      bridgeAddress: () => undefined,
      called: () => [],
      isRead: () => isRead,
      running: (short) => containers.find((one) => one.pid > 0 && one.id.startsWith(short)),
      networkName: (dockerId) => (dockerId === 'n1' ? 'front-net' : undefined),
      find: async (wanted) => all.get(wanted),
    },
    ownerOf: async (sandbox) => (sandbox === '/netns/web' ? owner : undefined),
    onChange,
    now: () => now,
  })
}

function container({
  attachment = {},
  pid = 0,
  sandbox = '',
}: {
  readonly attachment?: Partial<ContainerDetails['attachments'][number]>
  readonly pid?: number
  readonly sandbox?: string
}): ContainerDetails {
  const base = {
    network: 'front-net',
    networkId: '',
    endpointId: '',
    addresses: [],
    aliases: ['api'],
  }
  const words = { id, name: 'web', hostname: 'c2ce8a03998c', domainname: '' }
  return { ...words, pid, sandbox, attachments: [{ ...base, ...attachment }] }
}

function namingNow(): OwnEndpoint['naming'] {
  return facts.endpoints.get(endpoint.id)?.naming
}
