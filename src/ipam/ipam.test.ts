import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { createWorld, prefix, restMs } from '../../test/support/ipam-world.ts'
import type { World, WorldHost } from '../../test/support/ipam-world.ts'
import { parseIp } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import type { HostId } from '../model/cluster.ts'
import { poolSize } from '../model/pool.ts'
import type { Pool } from '../model/pool.ts'
import { parsePrefix } from '../model/prefix.ts'
import { hosts as hostRecords, root } from '../store/schema.ts'

let world: World | undefined
afterEach(() => world?.end())

async function begin(count: number, seed = 1): Promise<World> {
  world = await createWorld(count, randomOf(seed))
  return world
}

test('addresses are given in a row, and a released one comes up again last', async () => {
  const { hosts } = await begin(1)
  const pool = await hold(hosts[0], '10.0.0.0/28')
  const [first] = hosts
  const given = [await any(first, pool), await any(first, pool)]
  await first?.ipam().release(pool.id, ip(given[0]))

  const rest = await anyUntilFull(first, pool)
  expect(new Set([...given, ...rest]).size).toBe(14)
  expect(rest.at(-1)).toBe(given[0])
})

test('one that is asked for is given once, and from then on only to who asks again after a release', async () => {
  const { hosts } = await begin(2)
  const [one, two] = hosts
  const pool = await hold(one, '10.0.0.0/24')
  await hold(two, '10.0.0.0/24')
  const request = { pool: pool.id, address: ip('10.0.0.77'), use: 'container' } as const

  expect(await one?.ipam().grant(request)).toBe('10.0.0.77/24')
  await expect(two?.ipam().grant(request)).rejects.toThrow('10.0.0.77')
  await expect(one?.ipam().grant(request)).rejects.toThrow('a container of this host has it')
  await one?.ipam().release(pool.id, request.address)
  expect(await two?.ipam().grant(request)).toBe('10.0.0.77/24')
})

test('a gateway is the same on every host, and no container gets it', async () => {
  const { hosts } = await begin(2)
  const pool = await hold(hosts[0], '10.0.0.0/29')
  await hold(hosts[1], '10.0.0.0/29')
  for (const host of hosts) {
    expect(await host.ipam().grant({ pool: pool.id, use: 'reserved' })).toBe('10.0.0.1/29')
  }
  expect(await anyUntilFull(hosts[0], pool)).toHaveLength(5)
})

test('a gateway that a container has is refused, and stays free for containers afterwards', async () => {
  const { hosts } = await begin(2)
  const [one, two] = hosts
  const pool = await hold(one, '10.0.0.0/28')
  await hold(two, '10.0.0.0/28')
  const address = ip('10.0.0.9')
  await one?.ipam().grant({ pool: pool.id, address, use: 'container' })

  await expect(two?.ipam().grant({ pool: pool.id, address, use: 'reserved' })).rejects.toThrow(
    'it is in use',
  )
  await one?.ipam().release(pool.id, address)
  expect(await one?.ipam().grant({ pool: pool.id, address, use: 'container' })).toBe('10.0.0.9/28')
})

test('a subnet is chosen anew each time, and none that overlaps', async () => {
  const { hosts } = await begin(2)
  const chosen = await Promise.all(
    [0, 1, 0, 1].map(async (index) => {
      const pool = await hosts[index]?.ipam().holdPool({ space: 'local', family: 4 })
      return pool?.id
    }),
  )
  expect(new Set(chosen).size).toBe(4)
  await expect(hold(hosts[0], '10.32.0.0/20')).rejects.toThrow('overlaps')
})

test('with the store away, addresses come from the host’s own blocks, and then no more', async () => {
  const { hosts } = await begin(2)
  const [one] = hosts
  const pool = await hold(one, '10.0.0.0/24')
  await any(one, pool)
  if (one !== undefined) one.linked = false

  const given = await anyUntilFull(one, pool, 'cannot get more now')
  expect(given.length).toBeGreaterThan(10)
})

test('a full pool gives what others do not use, and then says who has how many', async () => {
  const { hosts } = await begin(3)
  const pool = await hold(hosts[0], '10.0.0.0/27')
  for (const host of hosts) await hold(host, '10.0.0.0/27')
  for (const host of hosts) await any(host, pool)

  expect(
    await anyUntilFull(hosts[0], pool, 'no address is left in 10.0.0.0/27: of 30'),
  ).toHaveLength(27)
})

test('what a host had that is gone for good is for others once somebody says so', async () => {
  const { hosts, store } = await begin(3)
  const [one, two, three] = hosts
  const pool = await hold(one, '10.0.0.0/27')
  await hold(two, '10.0.0.0/27')
  await hold(three, '10.0.0.0/27')
  await any(one, pool)
  const address = ip(await any(two, pool))
  await two?.ipam().release(pool.id, address)
  // Of the second host's block, the third one has an address when it goes.
  await three?.ipam().grant({ pool: pool.id, address, use: 'container' })
  await any(three, pool)

  await expect(one?.ipam().removePeer('host3')).rejects.toThrow('is there')
  await store.commit([{ kind: 'delete', key: hostRecords.key(idOf(three)) }])
  await expect(one?.ipam().removePeer('host4')).rejects.toThrow('no single host')
  expect(await one?.ipam().removePeer('host3')).toEqual({
    id: 'host3',
    blocks: 1,
    addresses: 1,
    silent: [],
  })
  expect(await anyUntilFull(one, pool)).toHaveLength(29)
})

test('a network with two subnets goes on in the second one, and gets back what it gave there', async () => {
  const here = await begin(1)
  const [one] = here.hosts
  const pool = await hold(one, '10.0.0.0/29')
  const second = await hold(one, '10.1.0.0/28')
  here.siblings = ({ id }) => (id === pool.id ? [second] : [pool])

  const given = await anyUntilFull(one, pool)
  expect(given.filter((address) => address.startsWith('10.0.0.'))).toHaveLength(6)
  expect(given.filter((address) => address.startsWith('10.1.0.'))).toHaveLength(14)
  await one?.ipam().release(pool.id, ip('10.1.0.9'))
  expect(await one?.ipam().grant({ pool: pool.id, use: 'container' })).toBe('10.1.0.9/28')
})

test('outside the range only what is asked for is given, once in the cluster', async () => {
  const { hosts } = await begin(2)
  const range = prefix('10.0.0.128/28')
  const request = { space: 'local', family: 4, subnet: prefix('10.0.0.0/24'), range } as const
  const pool = await hosts[0]?.ipam().holdPool(request)
  await hosts[1]?.ipam().holdPool(request)
  if (pool === undefined) throw new Error('no pool')
  const outside = { pool: pool.id, address: ip('10.0.0.5'), use: 'container' } as const

  expect(await hosts[0]?.ipam().grant(outside)).toBe('10.0.0.5/24')
  await expect(hosts[1]?.ipam().grant(outside)).rejects.toThrow('host1 has it')
  const given = await anyUntilFull(hosts[1], pool)
  expect(given).toHaveLength(16)
  expect(given.every((text) => text.startsWith('10.0.0.1'))).toBe(true)
})

test('whatever goes wrong, no address is given twice, and none is lost for good', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.constantFrom('10.0.0.0/28', '10.0.0.0/28', '10.0.0.0/27', 'fd00::/124'),
      fc.array(step(), { minLength: 60, maxLength: 200, size: 'max' }),
      async (seed, subnet, steps) => {
        const random = randomOf(seed)
        const here = await createWorld(3, random)
        try {
          await play(here, { subnet, steps })
        } finally {
          here.end()
        }
      },
    ),
    { numRuns: 40, interruptAfterTimeLimit: 30_000, endOnFailure: true },
  )
}, 60_000)

type Step = {
  readonly host: number
  readonly what: 'any' | 'exact' | 'release' | 'crash' | 'cut' | 'mend' | 'tend' | 'wait' | 'late'
  readonly pick: number
}

function step(): fc.Arbitrary<Step> {
  return fc.record({
    host: fc.nat(2),
    what: fc.oneof(
      { weight: 12, arbitrary: fc.constant('any' as const) },
      { weight: 3, arbitrary: fc.constant('exact' as const) },
      { weight: 8, arbitrary: fc.constant('release' as const) },
      { weight: 3, arbitrary: fc.constantFrom('wait', 'tend', 'late') },
      { weight: 2, arbitrary: fc.constantFrom('crash', 'cut', 'mend', 'mend') },
    ),
    pick: fc.nat(1000),
  })
}

async function play(
  here: World,
  { subnet, steps }: { readonly subnet: string; readonly steps: readonly Step[] },
): Promise<void> {
  const { hosts } = here
  const pool = await hold(hosts[0], subnet)
  for (const host of hosts.slice(1)) await hold(host, subnet)
  const held = new Map<string, WorldHost>()
  const pending: Promise<void>[] = []

  async function ask(host: WorldHost, address?: IpAddress): Promise<void> {
    const text = await host.ipam().grant({ pool: pool.id, address, use: 'container' })
    const given = parsePrefix(text)?.address ?? text
    if (held.has(given)) throw new Error(`${given} is given to ${host.id}, too`)
    held.set(given, host)
  }

  here.trouble = 0.1
  for (const { host: index, what, pick } of steps) {
    const host = hosts[index]
    if (host === undefined) continue
    const mine = [...held].filter(([, owner]) => owner === host)
    const [address] = mine[pick % Math.max(1, mine.length)] ?? []
    if (what === 'any') pending.push(unlessDouble(ask(host)))
    else if (what === 'exact') pending.push(unlessDouble(ask(host, addressIn(pool, pick))))
    else if (what === 'release' && address !== undefined) {
      held.delete(address)
      pending.push(unlessDouble(host.ipam().release(pool.id, ip(address))))
    } else if (what === 'crash') await host.crash()
    else if (what === 'cut' || what === 'mend') host.linked = what === 'mend'
    else if (what === 'tend') pending.push(unlessDouble(host.tend()))
    else if (what === 'wait') here.clock += (pick % 3) * restMs
    else if (what === 'late') await here.deliverLate()
    if (pick % 3 === 0) await Promise.race([Promise.all(pending), pause(5)])
  }
  await Promise.race([Promise.all(pending), pause(50)])
  await heal(here, pool, held)
  await expectAllGrantable(here, pool, held)
}

/** All is well again; what Docker never heard of is released, as the plugin would find out. */
async function heal(here: World, pool: Pool, held: ReadonlyMap<string, WorldHost>): Promise<void> {
  here.trouble = 0
  for (const host of here.hosts) {
    host.linked = true
    await host.crash()
  }
  await here.deliverLate()
  for (const host of here.hosts) {
    for (const address of host.used(pool.id)) {
      if (held.get(address) !== host) await host.ipam().release(pool.id, address)
    }
  }
  for (let round = 0; round < 4; round += 1) {
    here.clock += 2 * restMs
    for (const host of here.hosts) expect(await host.tend()).toEqual([])
    await pause(2)
  }
}

async function expectAllGrantable(
  here: World,
  pool: Pool,
  held: ReadonlyMap<string, WorldHost>,
): Promise<void> {
  const [first] = here.hosts
  const given = await anyUntilFull(first, pool)
  for (const address of given) expect(held.has(address)).toBe(false)
  expect(BigInt(given.length + held.size)).toBe(poolSize(pool))

  for (const host of here.hosts) await host.ipam().dropPool(pool.id)
  for (let round = 0; round < 3; round += 1) {
    for (const host of here.hosts) expect(await host.tend()).toEqual([])
    await pause(2)
  }
  const left = (await here.store.list(`${root}ipam/`)).records.map(({ key }) => key)
  expect(left).toEqual([`${root}ipam/guard`])
}

/** Refusals are normal in such a world; the same address twice is not. */
async function unlessDouble(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (error instanceof Error && error.message.includes('is given to')) throw error
  })
}

async function hold(host: WorldHost | undefined, subnet: string): Promise<Pool> {
  const family = subnet.includes(':') ? 6 : 4
  const pool = await host?.ipam().holdPool({ space: 'local', family, subnet: prefix(subnet) })
  if (pool === undefined) throw new Error('no host')
  return pool
}

async function any(host: WorldHost | undefined, pool: Pool): Promise<string> {
  const text = await host?.ipam().grant({ pool: pool.id, use: 'container' })
  return parsePrefix(text ?? '')?.address ?? ''
}

async function anyUntilFull(
  host: WorldHost | undefined,
  pool: Pool,
  problem = 'no address is left',
): Promise<readonly string[]> {
  const given: string[] = []
  let refusal = ''
  while (refusal === '') {
    try {
      given.push(await any(host, pool))
    } catch (error) {
      refusal = String(error)
    }
  }
  expect(refusal).toContain(problem)
  return given
}

function addressIn(pool: Pool, pick: number): IpAddress | undefined {
  const { address } = pool.subnet
  const low = 1 + (pick % 13)
  return parseIp(
    address.includes(':') ? `${address}${low.toString(16)}` : address.replace(/\d+$/, String(low)),
  )
}

function idOf(of: WorldHost | undefined): HostId {
  if (of === undefined) throw new Error('no host')
  return of.id
}

function ip(text: string | undefined): IpAddress {
  const found = parseIp(text ?? '')
  if (found === undefined) throw new Error(text)
  return found
}

/** Park and Miller's: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
