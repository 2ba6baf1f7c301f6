import { expect, test } from 'vitest'
import { idOf, settingsOf } from '../../test/support/spread-world.ts'
import type { EngineContainer } from '../docker/engine-messages.ts'
import { engineRefused } from '../model/faults.ts'
import { runPass } from '../reconcile/reconcile.ts'
import type { Adopted, Cluster, EngineNetwork } from '../spread/plan.ts'
import { createMemoryStore } from '../store/memory.ts'
import { definitions } from '../store/schema.ts'
import { spreadTarget, usedBy } from './spread.ts'
import type { SpreadTarget } from './spread.ts'

const { signal } = new AbortController()
const none = { id: 'none1', name: 'none', driver: 'null', scope: 'local', settings: settingsOf('') }
const web = {
  id: 'n1',
  name: 'web',
  driver: 'weave',
  scope: 'local',
  settings: settingsOf('10.32.0.0/24'),
}
const id = idOf('web')

interface Scene {
  readonly target: SpreadTarget
  readonly calls: string[]
  readonly networks: EngineNetwork[]
  readonly containers: EngineContainer[]
  readonly adopted: Map<string, Adopted>
  readonly store: ReturnType<typeof createMemoryStore>
}

function scene(drivers: readonly string[] = ['weave']): Scene {
  const calls: string[] = []
  const networks: EngineNetwork[] = [none]
  const containers: EngineContainer[] = []
  const adopted: Scene['adopted'] = new Map()
  const store = createMemoryStore()
  async function cluster(): Promise<Cluster> {
    const { records, revision } = await store.list(definitions.prefix)
    const shared = records.flatMap(({ key, text, revision: at }) => {
      const definition = definitions.decode(text)
      const one = definitions.id(key)
      return one && definition ? [[one, { definition, revision: at }] as const] : []
    })
    return { shared: new Map(shared), epoch: 'first', revision, drivers: new Set(drivers) }
  }
  const target = spreadTarget({
    store,
    cluster,
    foreign: () => undefined,
    adopted: {
      all: () => adopted as never,
      set: async (one, value) => void adopted.set(one, value),
      delete: async (one) => void adopted.delete(one),
    },
    randomId: () => 'a'.repeat(32),
    onStep: ({ kind }) => calls.push(kind),
    engine: {
      async networks() {
        calls.push('networks')
        return [...networks]
      },
      async containers() {
        calls.push('containers')
        return containers
      },
      async createNetwork({ driver, name }, settings) {
        if (name === 'bad') throw engineRefused('create network bad', 'no such driver')
        networks.push({ id: `new-${name}`, name, driver, scope: 'local', settings })
        return `new-${name}`
      },
      async removeNetwork(gone) {
        networks.splice(0, networks.length, ...networks.filter((one) => one.id !== gone))
      },
    },
  })
  return { target, calls, networks, containers, adopted, store }
}

async function settle(target: SpreadTarget): Promise<void> {
  while ((await runPass(target, signal)).kind === 'changed');
}

test('without a driver in local scope the engine is never asked', async () => {
  const { target, calls } = scene([])

  expect((await runPass(target, signal)).kind).toBe('settled')
  expect(calls).toEqual([])
})

test('a list of networks without “none” is no whole list: nothing is done', async () => {
  const { target, networks } = scene()
  networks.splice(0)

  expect(await runPass(target, signal)).toMatchObject({ kind: 'blind' })
})

test('what a user made is shared under a new generation, and adopted', async () => {
  const { target, networks, adopted, store, calls } = scene()
  networks.push(web)
  await settle(target)

  const record = await store.read(definitions.key(id))
  const { driver, name } = web
  const definition = { driver, name, generation: 'a'.repeat(32), ...web.settings }
  expect(definitions.decode(record?.text ?? '')).toEqual(definition)
  const { revision } = record ?? {}
  const known = { definition, dockerId: 'n1', engine: 'none1', epoch: 'first', revision }
  expect(adopted.get(id)).toEqual(known)
  expect(target.outlooks()).toMatchObject([{ state: 'everywhere', dockerId: 'n1' }])
  expect(calls).not.toContain('containers')
})

test('what others made is made here, with the same settings; what fails is told', async () => {
  const { target, networks, store } = scene()
  for (const name of ['bad', 'good']) {
    const definition = { driver: 'weave', name, generation: 'b'.repeat(32), ...web.settings }
    const text = definitions.encode(definition)
    await store.commit([{ kind: 'put', key: definitions.key(idOf(name)), text }])
  }
  await settle(target)

  expect(networks.map(({ name }) => name)).toEqual(['none', 'good'])
  expect(networks[1]?.settings).toEqual(web.settings)
  const [bad] = target.outlooks().filter(({ network }) => network.name === 'bad')
  expect(bad).toMatchObject({
    state: 'pending',
    problem: expect.stringContaining('no such driver'),
  })
})

test('a removal here takes the definition away; one elsewhere waits for containers', async () => {
  const here = scene()
  here.networks.push(web)
  await settle(here.target)
  here.networks.pop()
  await settle(here.target)
  expect((await here.store.list(definitions.prefix)).records).toEqual([])
  expect(here.adopted.size).toBe(0)

  const there = scene()
  there.networks.push(web)
  await settle(there.target)
  there.containers.push(container({ networkId: 'n1', network: 'web' }))
  await there.store.commit([{ kind: 'delete', key: definitions.key(id) }])
  await settle(there.target)
  expect(there.target.outlooks()).toMatchObject([{ state: 'leaving' }])
  there.containers.pop()
  await settle(there.target)
  expect(there.networks).toEqual([none])
  expect(there.adopted.size).toBe(0)
})

test.each([
  ['is on it', { networkId: 'n1', network: 'web' }, 'web', 'bound'],
  ['was on another of this name', { networkId: 'old', network: 'web' }, 'web', 'not'],
  ['was never started, and names it', { networkId: '', network: 'web' }, 'web', 'named'],
  ['was never started, and names its ID', { networkId: '', network: 'web' }, 'n1', 'bound'],
  ['was never started, and names another', { networkId: '', network: 'db' }, 'db', 'not'],
])('a container that %s', (_how, attachment, networkMode, use) => {
  const { bound, named } = usedBy([{ ...container(attachment), networkMode }], [web])
  expect(bound.has('n1') ? 'bound' : named.has('n1') ? 'named' : 'not').toBe(use)
})

test('a network is judged by what the last pass knew of it', async () => {
  const { target, networks, containers, store } = scene()
  expect(target.judge('n1')).toBe('fine')
  networks.push(web, {
    ...web,
    id: 'n2',
    name: 'own',
    settings: settingsOf('', { ipamDriver: 'x' }),
  })
  await settle(target)
  expect([target.judge('n1'), target.judge('n2'), target.judge('n3')]).toEqual([
    'fine',
    'fine',
    'unknown',
  ])

  const other = settingsOf('10.33.0.0/24')
  const definition = { driver: 'weave', name: 'db', generation: 'b'.repeat(32), ...other }
  const text = definitions.encode(definition)
  await store.commit([{ kind: 'put', key: definitions.key(idOf('db')), text }])
  networks.push({ ...web, id: 'n3', name: 'db' })
  await runPass(target, signal)
  expect(target.judge('n3')).toBe('lost')

  containers.push(container({ networkId: 'n4', network: 'db' }))
  await settle(target)
  networks.splice(0, networks.length, none, { ...web, id: 'n4', name: 'db' })
  await settle(target)
  expect(target.judge('n4')).toBe('fine')
})

function container(attachment: { networkId: string; network: string }): EngineContainer {
  const attachments = [{ ...attachment, endpointId: '', addresses: [] }]
  return { id: 'c', name: 'c', state: 'exited', networkMode: 'default', attachments }
}
