import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createWorld, idOf, settingsOf } from '../../test/support/spread-world.ts'
import type { SpreadHost, World } from '../../test/support/spread-world.ts'
import { differences } from '../model/definition.ts'
import type { NetworkSettings } from '../model/definition.ts'
import { isSpread, planSpread } from './plan.ts'

const plain = settingsOf('10.32.0.0/24')
const other = settingsOf('10.33.0.0/24', { labels: { env: 'test' } })
const ours = new Set(['weave'])
const unused = { bound: new Set<string>(), named: new Set<string>() }

function pair(): { world: World; a: SpreadHost; b: SpreadHost } {
  const world = createWorld(2)
  const [a, b] = world.hosts
  if (a === undefined || b === undefined) throw new Error('two hosts were asked for')
  return { world, a, b }
}

/** Names of the networks for all hosts that an engine has. */
function names(host: SpreadHost): readonly string[] {
  const spread = host.networks().filter((network) => isSpread(network, ours))
  return spread.map(({ name }) => name).toSorted()
}

function stateOf(host: SpreadHost, name: string): string | undefined {
  return host.outlook().find(({ id }) => id === idOf(name))?.state
}

function settingsOn(host: SpreadHost, name: string): NetworkSettings | undefined {
  return host.networks().find((network) => network.name === name)?.settings
}

test('a network that is made on one host is on the other, with all its settings', () => {
  const { world, a, b } = pair()
  const settings = settingsOf('10.32.0.0/24', {
    ipam: [
      { subnet: '10.32.0.0/24', gateway: '10.32.0.1', auxAddresses: { printer: '10.32.0.9' } },
    ],
    options: { 'weave.mtu': '1400' },
    labels: { env: 'test' },
    internal: true,
    attachable: true,
  })
  a.create('web', settings)
  world.settle()

  expect(settingsOn(b, 'web')).toMatchObject(settings)
  expect([stateOf(a, 'web'), stateOf(b, 'web')]).toEqual(['everywhere', 'everywhere'])
})

test('what is removed on one host goes from the other, once nothing there uses it', () => {
  const { world, a, b } = pair()
  a.create('web', plain)
  world.settle()
  b.use('web')
  a.remove('web')
  world.settle()
  expect([names(a), names(b), stateOf(b, 'web')]).toEqual([[], ['web'], 'leaving'])

  b.empty()
  world.settle()

  expect(names(b)).toEqual([])
  expect(world.shared().size).toBe(0)
})

test('a removal while the store was away is told later, and undoes nothing', () => {
  const { world, a, b } = pair()
  a.create('web', plain)
  world.settle()
  a.cut()
  a.remove('web')
  a.pass()
  a.pass()
  expect([names(a), names(b)]).toEqual([[], ['web']])

  a.mend()
  world.settle()

  expect([names(a), names(b)]).toEqual([[], []])
})

test('a host that was away while things were made and removed does both when it is back', () => {
  const { world, a, b } = pair()
  a.create('old', plain)
  world.settle()
  b.cut()
  a.remove('old')
  a.create('new', other)
  world.settle()
  expect(names(b)).toEqual(['old'])

  b.mend()
  world.settle()

  expect(names(b)).toEqual(['new'])
})

test('a store that lost its data gets it back, and no engine loses a network', () => {
  const { world, a, b } = pair()
  a.create('web', plain)
  world.settle()
  const before = world.shared().get(idOf('web'))?.definition

  world.loseStore()
  a.restart()
  b.restart()
  world.settle()

  expect([names(a), names(b)]).toEqual([['web'], ['web']])
  expect(world.shared().get(idOf('web'))?.definition).toEqual(before)
})

test('a removal is not undone by others that fill a store which lost its data', () => {
  const { world, a, b } = pair()
  a.create('web', plain)
  world.settle()
  a.cut()
  b.cut()
  a.remove('web')
  world.loseStore()
  a.mend()
  a.restart()
  for (let pass = 0; pass < 5; pass += 1) a.pass()
  b.mend()
  world.settle()

  expect([names(a), names(b)]).toEqual([[], []])
})

test('after a loss, a host learns of a removal that it was not there for', () => {
  const { world, a, b } = pair()
  a.create('web', plain)
  world.settle()
  world.loseStore()
  world.settle()
  b.cut()
  a.remove('web')
  for (let pass = 0; pass < 5; pass += 1) a.pass()

  b.mend()
  world.settle()

  expect([names(a), names(b)]).toEqual([[], []])
})

test('a store that went back in time is told again what it has forgotten', () => {
  const network = { id: 'n', name: 'web', driver: 'weave', scope: 'local', settings: plain }
  const definition = { driver: 'weave', name: 'web', generation: '0'.repeat(32), ...plain }
  const seen = { definition, dockerId: 'n', engine: 'e', epoch: '1', revision: 9n }
  const look = {
    engine: 'e',
    networks: [network],
    adopted: new Map([[idOf('web'), seen]]),
    used: unused,
  }
  const cluster = { shared: new Map(), epoch: '1', drivers: ours }

  expect(planSpread({ ...cluster, revision: 8n }, look)[0]?.step?.kind).toBe('share-again')
  expect(planSpread({ ...cluster, revision: 9n }, look)[0]?.step?.kind).toBe('remove')
})

test('an engine that lost its data gets its networks back, and nobody else loses them', () => {
  const { world, a, b } = pair()
  a.create('web', plain)
  world.settle()

  a.loseEngine()
  world.settle()

  expect([names(a), names(b)]).toEqual([['web'], ['web']])
})

test('of two that are made at the same moment, the first in the store stays', () => {
  const { world, a, b } = pair()
  a.create('web', plain)
  b.create('web', other)
  world.settle()

  expect(settingsOn(b, 'web')).toMatchObject(plain)
  expect(stateOf(b, 'web')).toBe('everywhere')
})

test('the loser stays while it is in use, and its differences are told', () => {
  const { world, a, b } = pair()
  a.create('web', plain)
  b.create('web', other)
  b.use('web')
  world.settle()
  const found = b.outlook().find(({ id }) => id === idOf('web'))
  expect(found).toMatchObject({
    state: 'conflict',
    differs: [
      'subnet: "10.33.0.0/24" here, "10.32.0.0/24" in the cluster',
      'label env: "test" here, none in the cluster',
    ],
  })

  b.empty()
  world.settle()

  expect(settingsOn(b, 'web')).toMatchObject(plain)
})

test('one that was made anew replaces the old one on every host, unless it is the same', () => {
  const { world, a, b } = pair()
  a.create('web', plain)
  world.settle()
  const before = b.networks().find(({ name }) => name === 'web')?.id
  a.remove('web')
  a.create('web', plain)
  world.settle()
  expect(b.networks().find(({ name }) => name === 'web')?.id).toBe(before)

  a.remove('web')
  world.settle()
  a.create('web', other)
  world.settle()

  expect(settingsOn(b, 'web')).toMatchObject(other)
})

test('a network of this name that is not ours is a conflict, and left alone', () => {
  const { world, a, b } = pair()
  const before = b.networks()
  expect(a.create('app', plain)).toBe(false)
  const third = createWorld(1).hosts[0]
  expect(third?.outlook()).toEqual([])
  a.create('mine2', settingsOf('10.40.0.0/24', { ipamDriver: 'default' }))
  world.settle()

  expect(b.networks()).toEqual(before)
})

test('a definition whose name another driver’s network has here is a conflict', () => {
  const definition = { driver: 'weave', name: 'app', generation: '0'.repeat(32), ...plain }
  const strange = { ...plain, ipamDriver: 'default' }
  const network = { id: 'x', name: 'app', driver: 'bridge', scope: 'local', settings: strange }
  const [outlook] = planSpread(
    {
      shared: new Map([[idOf('app'), { definition, revision: 3n }]]),
      epoch: '1',
      revision: 3n,
      drivers: ours,
    },
    { engine: 'e', networks: [network], adopted: new Map(), used: unused },
  )

  expect(outlook).toMatchObject({ state: 'conflict', differs: [expect.stringContaining('bridge')] })
  expect(outlook?.step).toBeUndefined()
})

test('a container that was never started keeps a network, but not from being replaced', () => {
  const here = { id: 'n', name: 'web', driver: 'weave', scope: 'local', settings: other }
  const definition = { driver: 'weave', name: 'web', generation: '0'.repeat(32), ...plain }
  const adopted = { definition, dockerId: 'n', engine: 'e', epoch: '1', revision: 2n }
  const used = { ...unused, named: new Set(['n']) }
  const look = { engine: 'e', networks: [here], used }
  const cluster = { epoch: '1', revision: 3n, drivers: ours }
  const shared = new Map([[idOf('web'), { definition, revision: 2n }]])
  const known = new Map([[idOf('web'), adopted]])

  const [leaving] = planSpread({ ...cluster, shared: new Map() }, { ...look, adopted: known })
  expect(leaving?.state).toBe('leaving')
  const [lost] = planSpread({ ...cluster, shared }, { ...look, adopted: new Map() })
  expect(lost?.step).toMatchObject({ kind: 'remove', dockerId: 'n' })
})

test('of two that one engine was told to make at once, the one that was not adopted goes', () => {
  const first = { id: 'n', name: 'web', driver: 'weave', scope: 'local', settings: plain }
  const second = { ...first, id: 'm', settings: other }
  const definition = { driver: 'weave', name: 'web', generation: '0'.repeat(32), ...plain }
  const adopted = { definition, dockerId: 'n', engine: 'e', epoch: '1', revision: 2n }
  const shared = new Map([[idOf('web'), { definition, revision: 2n }]])
  const cluster = { shared, epoch: '1', revision: 3n, drivers: ours }
  const known = new Map([[idOf('web'), adopted]])
  const look = { engine: 'e', networks: [second, first], adopted: known, used: unused }

  expect(planSpread(cluster, look)[0]?.step).toMatchObject({ kind: 'remove', dockerId: 'm' })
  const busy = { ...look, used: { ...unused, bound: new Set(['m']) } }
  expect(planSpread(cluster, busy)[0]).toMatchObject({ state: 'conflict', dockerId: 'm' })
  const forgotten = { ...look, adopted: new Map() }
  expect(planSpread(cluster, forgotten)[0]?.step).toMatchObject({ kind: 'adopt', dockerId: 'n' })
})

test('nothing is removed before somebody has looked for containers', () => {
  const network = { id: 'n', name: 'web', driver: 'weave', scope: 'local', settings: plain }
  const definition = { driver: 'weave', name: 'web', generation: '0'.repeat(32), ...plain }
  const seen = { definition, dockerId: 'n', engine: 'e', epoch: '1', revision: 2n }
  const look = { engine: 'e', networks: [network], used: undefined }
  const cluster = { shared: new Map(), epoch: '1', revision: 3n, drivers: ours }
  const [outlook] = planSpread(cluster, { ...look, adopted: new Map([[idOf('web'), seen]]) })

  expect(outlook).toMatchObject({ state: 'pending', asksForUse: true })
  expect(outlook?.step).toBeUndefined()
})

const kinds = [
  'create',
  'remove',
  'use',
  'empty',
  'pass',
  'die',
  'cut',
  'mend',
  'release',
  'restart',
  'loseStore',
  'loseEngine',
  'loseMemory',
] as const
const action = fc.record({
  kind: fc.constantFrom(...kinds, 'create', 'remove', 'pass', 'pass', 'pass'),
  host: fc.nat(2),
  name: fc.constantFrom('web', 'db', 'app'),
  variant: fc.nat(2),
})
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never

const variants = [plain, other, settingsOf('10.34.0.0/24')]

function act(world: World, { kind, host: place, name, variant }: Action): void {
  const host = world.hosts[place]
  const settings = variants[variant]
  if (host === undefined || settings === undefined) return
  if (kind === 'create') host.create(name, settings)
  else if (kind === 'loseStore') world.loseStore()
  else if (kind === 'pass') host.pass()
  else if (kind === 'die') host.pass('dies')
  else host[kind](name)
}

function calm(world: World): void {
  for (const host of world.hosts) {
    host.mend()
    host.empty()
    host.pass()
    host.release()
  }
  world.settle()
}

test('whatever happened, in the end all engines have what the store has, and nothing else is touched', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const world = createWorld(3)
      const foreign = world.hosts[0]?.networks()
      for (const one of actions) act(world, one)
      calm(world)

      const shared = [...world.shared().values()].map(({ definition }) => definition)
      for (const host of world.hosts) {
        const here = host.networks().filter((network) => isSpread(network, ours))
        const wanted = shared.filter(({ name }) => name !== 'app')
        expect(here.map(({ name }) => name).toSorted()).toEqual(
          wanted.map(({ name }) => name).toSorted(),
        )
        for (const { name, settings } of here) {
          const definition = shared.find((one) => one.name === name)
          expect(definition && differences(settings, definition)).toEqual([])
        }
        expect(host.networks().filter((network) => !isSpread(network, ours))).toEqual(foreign)
      }
    }),
    { numRuns: 400 },
  )
})

test('after any history, what a user then removes stays removed, and what is there survives the store', () => {
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 40 }),
      fc.nat(2),
      fc.nat(7),
      (actions, place, restarts) => {
        const world = createWorld(3)
        for (const one of actions) act(world, one)
        calm(world)
        const before = world.hosts.map(names)
        world.loseStore()
        for (const [index, host] of world.hosts.entries())
          if (restarts & (1 << index)) host.restart()
        calm(world)
        expect(world.hosts.map(names)).toEqual(before)

        world.hosts[place]?.remove('web')
        calm(world)

        expect(world.hosts.map(names).flat()).not.toContain('web')
      },
    ),
    { numRuns: 250 },
  )
})
