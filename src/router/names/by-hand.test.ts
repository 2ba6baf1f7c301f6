import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hostId, ip, networkId, staticNameId } from '../../../test/support/values.ts'
import type { EngineContainer, EngineNetwork } from '../../docker/engine.ts'
import { engineUnreachable } from '../../model/faults.ts'
import { readPaths } from '../../settings/paths.ts'
import { openFacts } from '../facts.ts'
import type { Facts } from '../facts.ts'
import { createByHand } from './by-hand.ts'
import type { ByHand } from './by-hand.ts'
import { saidHere } from './static-names.ts'

const { signal } = new AbortController()
const web = 'c0ffee'.padEnd(64, '1')
const other = 'c0ffee'.padEnd(64, '2')

let folder = ''
let facts: Facts
let names: ByHand
let changes = 0
let containers: EngineContainer[]
let isAway: boolean
/** The containers that the engine's news have told of. */
let heard: Set<string>

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'by-hand-'))
  containers = [container(web, 'web'), container(other, 'other')]
  heard = new Set([web, other])
  isAway = false
  changes = 0
  facts = await open()
  names = createByHand({
    facts,
    domain: 'weave.local',
    known: () => new Set(['10.40.0.0-16', 'blue', 'g'.repeat(64)].map(networkId)),
    localDrivers: () => new Set(['weave']),
    hasContainer: (id) => heard.has(id),
    engine: {
      containers: () => answer(containers),
      networks: () =>
        answer([
          network('1'.repeat(64), 'front', '10.40.0.0/16'),
          network('2'.repeat(64), 'strange', '10.99.0.0/16'),
          { ...network('3'.repeat(64), 'plain', '10.40.0.0/16'), driver: 'bridge' },
          { ...network('g'.repeat(64), 'swarm', '10.40.0.0/16'), driver: 'weave:latest' },
        ]),
    },
    async onChange() {
      changes += 1
    },
  })
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('what was added is on the disk, once, and a router started again has it', async () => {
  await add({ name: 'printer', addresses: [ip('192.0.2.7'), ip('fd00::7')] })
  await add({ name: 'printer.weave.local', addresses: [ip('192.0.2.7')] })
  await add({ name: 'www', container: 'web' })
  const again = await open()
  expect(said(again)).toEqual([
    'printer 192.0.2.7 all nobody',
    'printer fd00::7 all nobody',
    `www - all ${web}`,
  ])
})

test('a container is found by its name, its ID and the beginning of its ID', async () => {
  for (const text of ['web', web, 'c0ffee1']) await add({ name: 'www', container: text })
  expect(said(facts)).toEqual([`www - all ${web}`])
  await expect(add({ name: 'www', container: 'c0ffee' })).rejects.toMatchObject({
    code: 'BAD_ARGUMENT',
    remedy: expect.stringContaining('(other)'),
  })
  await expect(add({ name: 'www', container: 'wbe' })).rejects.toMatchObject({
    code: 'CONTAINER_UNKNOWN',
    remedy: expect.stringContaining('Did you mean "web"?'),
  })
})

test.each([
  ['front', '10.40.0.0-16'],
  ['1111', '10.40.0.0-16'],
  ['10.40.0.0-16', '10.40.0.0-16'],
  ['blue', 'blue'],
  ['swarm', 'g'.repeat(64)],
])('network %s is %s in the cluster', async (text, id) => {
  await add({ name: 'www', container: 'web', network: text })
  expect(said(facts)).toEqual([`www - ${id} ${web}`])
})

test.each(['strange', 'plain', 'frnt', ''])(
  'network %j is none of ours, and nothing is added',
  async (text) => {
    const adding = add({ name: 'www', container: 'web', network: text })
    await expect(adding).rejects.toMatchObject({ code: 'NETWORK_UNKNOWN' })
    expect([said(facts), changes]).toEqual([[], 0])
  },
)

test.each(['weave.local', '192.0.2.7', '192.0.2.7.weave.local', '7.2.0.192.in-addr.arpa'])(
  'nobody could be answered for %s, so it is refused',
  async (name) => {
    await expect(add({ name, container: 'web' })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(said(facts)).toEqual([])
  },
)

test('removing leaves what does not match, and what is not there is no error', async () => {
  await add({ name: 'www', container: 'web' })
  await add({ name: 'vip', container: 'web', addresses: [ip('10.40.0.9')] })
  await add({ name: 'printer', addresses: [ip('192.0.2.7'), ip('192.0.2.8')] })
  changes = 0
  expect(await remove({ container: 'nobody' })).toBe(0)
  expect(await remove({ name: 'www', container: 'other' })).toBe(0)
  expect(await remove({ name: 'www', network: 'nowhere' })).toBe(0)
  expect(changes).toBe(0)
  expect(await remove({ name: 'printer.weave.local', addresses: [ip('192.0.2.7')] })).toBe(1)
  expect(await remove({ container: 'web' })).toBe(2)
  expect([said(facts), changes]).toEqual([['printer 192.0.2.8 all nobody'], 2])
  await expect(remove({ container: 'c0ffee' })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
})

test('of a record with several addresses the others stay', async () => {
  const both = [ip('192.0.2.7'), ip('192.0.2.8')]
  await facts.setStaticName({ id: staticNameId('0'.repeat(32)), name: 'nas', addresses: both })
  expect(await remove({ addresses: [ip('192.0.2.8')] })).toBe(1)
  expect(said(await open())).toEqual(['nas 192.0.2.7 all nobody'])
})

test('a container that is gone takes its names along, and only the engine says who is gone', async () => {
  await add({ name: 'www', container: 'web' })
  await add({ name: 'vip', container: 'other', addresses: [ip('10.40.0.9')] })
  await add({ name: 'printer', addresses: [ip('192.0.2.7')] })
  heard.clear()
  isAway = true
  await expect(names.prune()).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
  isAway = false
  expect(await names.prune()).toBe(false)
  expect(facts.staticNames.size).toBe(3)
  containers = containers.filter(({ id }) => id !== web)
  expect(await names.prune()).toBe(true)
  expect(said(facts)).toEqual(['printer 192.0.2.7 all nobody', `vip 10.40.0.9 all ${other}`])
  expect(await readdir(readPaths({ WEAVE_STATE_DIR: folder }).namesDir)).toHaveLength(2)
})

test('a name that is added while the engine is asked is not forgotten', async () => {
  await add({ name: 'www', container: 'web' })
  heard.clear()
  const before = containers
  containers = []
  const pruning = names.prune()
  containers = before
  await add({ name: 'vip', container: 'other' })
  await pruning
  expect(said(facts)).toEqual([`vip - all ${other}`])
})

test('names are said with their container, others always', async () => {
  await add({ name: 'vip', container: 'web', addresses: [ip('10.40.0.9')] })
  await add({ name: 'printer', addresses: [ip('192.0.2.7')] })
  expect(saidHere(facts, hostId('h1')).map(({ name }) => name)).toEqual(['printer'])
})

type Spec = Partial<Parameters<ByHand['add']>[0]>

function add(spec: Spec & { readonly name: string }): Promise<void> {
  return names.add({ addresses: [], ...spec }, signal)
}

function remove(filter: Spec): Promise<number> {
  return names.remove({ addresses: [], ...filter }, signal)
}

function open(): Promise<Facts> {
  return openFacts(readPaths({ WEAVE_STATE_DIR: folder }), () => {})
}

function said({ staticNames }: Facts): string[] {
  return [...staticNames.values()]
    .map(({ name, addresses, network: on = 'all', container: of = 'nobody' }) =>
      [name, addresses.join(' ') || '-', on, of].join(' '),
    )
    .toSorted()
}

async function answer<T>(value: readonly T[]): Promise<readonly T[]> {
  if (isAway) throw engineUnreachable('/docker.sock', 'away')
  return value
}

function container(id: string, name: string): EngineContainer {
  return { id, name, state: 'created', networkMode: '', attachments: [] }
}

function network(id: string, name: string, subnet: string): EngineNetwork {
  const flags = { internal: false, attachable: false, ipv4: true, ipv6: false }
  const settings = {
    ...flags,
    ipamDriver: 'weave',
    ipamOptions: {},
    ipam: [{ subnet }],
    options: {},
    labels: {},
  }
  return { id, name, driver: 'weave', scope: 'local', settings }
}
