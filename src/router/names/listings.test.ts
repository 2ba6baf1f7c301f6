import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endpointId, hostId, ip, mac, networkId, vni } from '../../../test/support/values.ts'
import type { ContainerDetails } from '../../docker/engine.ts'
import type { Endpoint, NetworkId } from '../../model/cluster.ts'
import { readPaths } from '../../settings/paths.ts'
import type { Seen } from '../../store/view.ts'
import { openFacts } from '../facts.ts'
import type { Facts, OwnEndpoint } from '../facts.ts'
import { createListings } from './listings.ts'
import type { Listings } from './listings.ts'

const a = 1
const self = hostId('self')
const front = networkId('front')

let folder = ''
let facts: Facts

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'weave-listings-'))
  facts = await openFacts(readPaths({ WEAVE_STATE_DIR: folder }), () => {})
  await facts.setEndpoint(own('asker', { names: ['asker'], sandbox: '/netns/asker' }))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

test('own endpoints are known by this host’s facts, others by the view', async () => {
  await facts.setEndpoint(own('db', { names: ['db'], address: '10.0.0.7' }))
  // Our own record in the store may be late, or of before.
  const remote = [record('r1', 'other', '10.0.0.8'), record('r2', 'self', '10.0.0.9')]
  const listings = create({ remote })
  expect(ask(listings, 'db')).toEqual(['10.0.0.7', '10.0.0.8'])
  await facts.deleteEndpoint(endpointId('db'))
  expect(ask(listings, 'db')).toEqual(['10.0.0.8'])
})

test('what has left is no more, and a sandbox that has not joined knows nobody', async () => {
  await facts.setEndpoint({ ...own('db', { names: ['db'] }), phase: 'left' })
  const listings = create({})
  expect(ask(listings, 'db')).toEqual([])
  expect(ask(listings, 'asker', '/netns/other')).toEqual([])
  expect([...listings.sandboxes()]).toEqual([['/netns/asker', [front]]])
})

test('names in networks of Docker’s own stay Docker’s, unless they are the same container’s', async () => {
  await facts.setEndpoint(own('db', { names: ['db'], container: 'aaaaaaaaaaaa' }))
  const attachments = [
    { network: 'front', networkId: 'front', endpointId: 'asker', addresses: [], aliases: [] },
    { network: 'bridge2', networkId: 'b2', endpointId: 'b2-asker', addresses: [], aliases: [] },
  ]
  const asker = details(attachments)
  expect(ask(create({ asker, called: { b2: ['bbbbbbbbbbbb'] } }), 'DB')).toEqual([])
  expect(ask(create({ asker, called: { b2: ['aaaaaaaaaaaa'] } }), 'DB')).toEqual(['10.0.0.1'])
  // Docker's view of our own networks is of this host alone.
  expect(ask(create({ asker, called: { front: ['bbbbbbbbbbbb'] } }), 'DB')).toEqual(['10.0.0.1'])
})

test('the host itself knows all networks', async () => {
  const listings = create({ remote: [record('r1', 'other', '10.0.0.8')] })
  expect(listings.answerHost({ name: 'db', type: a })).toEqual({
    kind: 'addresses',
    addresses: ['10.0.0.8'],
  })
})

interface World {
  readonly remote?: readonly Seen<Endpoint>[]
  readonly asker?: ContainerDetails
  readonly called?: Readonly<Record<string, readonly string[]>>
}

function create({ remote = [], asker, called = {} }: World): Listings {
  function* found(network: NetworkId, isIt: (one: Endpoint) => boolean): Generator<Seen<Endpoint>> {
    for (const seen of remote) if (seen.value.network === network && isIt(seen.value)) yield seen
  }
  const network = { id: front, vni: vni(1), subnets: [], multicast: false }
  const seen = { value: network, revision: 1n, lease: 1n }
  return createListings({
    self,
    facts,
    domain: 'weave.local',
    view: {
      networks: () => new Map([[front, seen]]),
      endpointsNamed: (id, name) =>
        found(id, ({ naming }) => naming?.names.includes(name) === true),
      endpointsAt: (id, address) => found(id, ({ addresses }) => addresses.includes(address)),
      staticNamed: () => [],
      staticAt: () => [],
    },
    roster: {
      inSandbox: (sandbox) => (sandbox === '/netns/asker' ? asker : undefined),
      called: (name, id) => (name === 'db' ? (called[id] ?? []) : []),
    },
  })
}

function ask(listings: Listings, name: string, sandbox = '/netns/asker'): readonly string[] {
  const answer = listings.answer({ name, type: a }, sandbox)
  return answer.kind === 'addresses' ? answer.addresses : []
}

function own(
  id: string,
  options: {
    readonly names: readonly string[]
    readonly address?: string
    readonly container?: string
    readonly sandbox?: string
  },
): OwnEndpoint {
  const { names, address = '10.0.0.1', container = id, sandbox } = options
  return {
    id: endpointId(id),
    network: front,
    mac: mac('02:42:0a:00:00:01'),
    subnetAddresses: [`${address}/24`],
    phase: 'joined',
    since: '2026-01-01T00:00:00Z',
    sandbox,
    naming: { container, network: 'front', names },
  }
}

function record(id: string, host: string, address: string): Seen<Endpoint> {
  const naming = { container: id, network: 'front', names: ['db'] }
  const value = {
    id: endpointId(id),
    network: front,
    host: hostId(host),
    mac: mac('02:42:0a:00:00:08'),
    addresses: [ip(address)],
    naming,
  }
  return { value, revision: 1n, lease: 1n }
}

function details(attachments: ContainerDetails['attachments']): ContainerDetails {
  const words = { id: 'asker', name: 'asker', hostname: 'asker', domainname: '' }
  return { ...words, pid: 7, sandbox: '/netns/asker', attachments }
}
