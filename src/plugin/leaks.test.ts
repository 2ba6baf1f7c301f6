import { expect, test } from 'vitest'
import { isIpAddress } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import { isPoolId } from '../model/pool.ts'
import type { PoolId } from '../model/pool.ts'
import { createLeakSearch, findLeaks, inBoth } from './leaks.ts'
import type { Look } from './leaks.ts'

const local = pool('local_10.0.0.0-24')
const none = { addresses: [], pools: [] }

test('addresses that a container, a gateway or an auxiliary name has are nobody’s leak', () => {
  const used = ['10.0.0.1', '10.0.0.2', '10.0.0.9', '10.0.0.7'].map((text) => taken(text))
  expect(findLeaks(look({ pools: [{ id: local, refs: 1, used }] }))).toEqual({
    addresses: [{ pool: local, address: '10.0.0.7' }],
    pools: [],
  })
})

test('what was taken just now is not lost yet', () => {
  const used = [taken('10.0.0.7', 950)]
  expect(findLeaks(look({ pools: [{ id: local, refs: 1, used }] }))).toEqual(none)
})

test('a pool that is held more often than there are networks is held too often', () => {
  const pools = [{ id: local, refs: 3, used: [] }]
  expect(findLeaks(look({ pools }))).toEqual({ addresses: [], pools: [local, local] })
  expect(findLeaks(look({ pools, networks: [] })).pools).toHaveLength(3)
})

test('in the global space nothing is judged', () => {
  const used = [taken('10.0.0.7')]
  const pools = [{ id: pool('global_10.0.0.0-24'), refs: 2, used }]
  expect(findLeaks(look({ pools, networks: [] }))).toEqual(none)
})

test('only what two looks found is lost', () => {
  const address = { pool: local, address: ip('10.0.0.7') }
  const other = { pool: local, address: ip('10.0.0.8') }
  const before = { addresses: [address], pools: [local] }
  expect(inBoth(before, { addresses: [address, other], pools: [local, local] })).toEqual(before)
  expect(inBoth(before, none)).toEqual(none)
})

test('what is lost is given back once, and a look that fails forgets the one before', async () => {
  const calls: string[] = []
  let isAway = false
  const search = createLeakSearch({
    minAgeMs: 10,
    onFound: () => {},
    router: {
      holdings: async () => ({ pools: [{ id: local, refs: 1, used: [taken('10.0.0.7', 0)] }] }),
      async releaseAddress(_pool, address) {
        calls.push(address)
      },
      async releasePool(id) {
        calls.push(id)
      },
    },
    engine: {
      containers: async () => [],
      async networks() {
        if (isAway) throw new Error('away')
        return []
      },
    },
  })
  const { signal } = new AbortController()
  await search(signal)
  isAway = true
  await expect(search(signal)).rejects.toThrow('away')
  isAway = false
  await search(signal)
  expect(calls).toEqual([])
  await search(signal)
  expect(calls).toEqual(['10.0.0.7', local])
})

function look(more: Partial<Look>): Look {
  return {
    pools: [],
    networks: [network()],
    containers: [
      {
        attachments: [{ network: 'n', networkId: 'n', endpointId: 'e', addresses: ['10.0.0.2'] }],
      },
    ],
    nowMs: 1000,
    minAgeMs: 100,
    ...more,
  }
}

function network(): Look['networks'][number] {
  return {
    settings: {
      ipamDriver: 'weave',
      ipamOptions: {},
      ipam: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1', auxAddresses: { x: '10.0.0.9' } }],
      options: {},
      labels: {},
      internal: false,
      attachable: false,
      ipv4: true,
      ipv6: false,
    },
  }
}

function taken(text: string, sinceMs = 0): { address: IpAddress; sinceMs: number } {
  return { address: ip(text), sinceMs }
}

function ip(text: string): IpAddress {
  if (!isIpAddress(text)) throw new Error(text)
  return text
}

function pool(text: string): PoolId {
  if (!isPoolId(text)) throw new Error(text)
  return text
}
