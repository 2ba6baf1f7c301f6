import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  endpointId,
  hostId,
  ip,
  mac,
  networkId,
  staticNameId,
  vni,
} from '../../test/support/values.ts'
import type { Endpoint, Host, Network } from '../model/cluster.ts'
import type { StaticName } from '../model/static-name.ts'
import { planPublication } from './publication.ts'
import type { OwnRecords, Published, PublishedRecords } from './publication.ts'
import { clusterKey, endpoints, hosts, networks, staticNames, vnis } from './schema.ts'

const self: Host = {
  id: hostId('self'),
  nickname: 'self',
  address: ip('192.0.2.1'),
  controlPort: 6783,
  dataPort: 6784,
  instance: 'first',
  version: '0',
}
const net: Network = { id: networkId('net'), vni: vni(7), subnets: [], multicast: false }
const web: Endpoint = {
  id: endpointId('web'),
  network: net.id,
  host: self.id,
  mac: mac('02:42:0a:20:00:01'),
  addresses: [ip('10.32.0.1')],
}
const webKey = endpoints.key({ network: net.id, host: self.id, endpoint: web.id })
const printer: StaticName = {
  id: staticNameId('0'.repeat(32)),
  host: self.id,
  name: 'printer',
  addresses: [ip('192.168.7.7')],
}
const printerKey = staticNames.key(printer)
const own: OwnRecords = {
  cluster: 'cluster',
  epoch: 'first',
  host: self,
  endpoints: [web],
  staticNames: [],
  networks: [net],
  removed: [],
  lease: 5n,
}
const nothing: PublishedRecords = {
  cluster: undefined,
  host: undefined,
  endpoints: new Map(),
  staticNames: new Map(),
  networks: new Map(),
  vnis: new Map(),
  foreign: new Map(),
  held: new Set(),
}

function at<T>(value: T, revision = 3n, lease = 0n): Published<T> {
  return { value, revision, lease }
}

const complete: PublishedRecords = {
  cluster: 'cluster',
  host: at(self, 2n, 5n),
  endpoints: new Map([[webKey, at(web, 3n, 5n)]]),
  staticNames: new Map(),
  networks: new Map([[net.id, at(net)]]),
  vnis: new Map([[net.vni, at(net.id)]]),
  foreign: new Map(),
  held: new Set(),
}

function named(id: Endpoint['id']): Endpoint {
  return { ...web, id }
}

function keyed(id: Endpoint['id']): string {
  return endpoints.key({ network: net.id, host: self.id, endpoint: id })
}

function keysOf(published: PublishedRecords, facts: Partial<OwnRecords> = {}): string[] {
  return planPublication({ ...own, ...facts }, published).flatMap(({ writes }) =>
    writes.map(({ kind, key }) => `${kind} ${key}`),
  )
}

test('an empty store gets everything this host knows', () => {
  expect(keysOf(nothing)).toEqual([
    `put ${clusterKey}`,
    `put ${hosts.key(self.id)}`,
    `put ${webKey}`,
    `put ${networks.key(net.id)}`,
    `put ${vnis.key(net.vni)}`,
  ])
})

test('a store that says the same gets nothing', () => {
  expect(planPublication(own, complete)).toEqual([])
})

test('a name that was added here is written under the lease, and taken back', () => {
  const said = { staticNames: new Map([[printerKey, at(printer, 3n, 5n)]]) }
  expect(keysOf(complete, { staticNames: [printer] })).toEqual([`put ${printerKey}`])
  expect(keysOf({ ...complete, ...said }, { staticNames: [printer] })).toEqual([])
  expect(keysOf({ ...complete, ...said }, {})).toEqual([`delete ${printerKey}`])
})

test('everything under the lease is written again when the lease is another one', () => {
  expect(keysOf(complete, { lease: 6n })).toEqual([`put ${hosts.key(self.id)}`, `put ${webKey}`])
})

test('an endpoint that this host does not know any more is removed', () => {
  expect(keysOf(complete, { endpoints: [], networks: [] })).toEqual([`delete ${webKey}`])
})

test('the removal of a network is forgotten once the store has it no more, and has not only lost it', () => {
  const facts = { ...own, endpoints: [], networks: [], removed: [net.id] }
  const empty = { ...nothing, cluster: 'cluster', host: at(self, 3n, 5n) }

  expect(planPublication(facts, empty)).toMatchObject([{ writes: [], forget: net.id }])
  expect(planPublication(facts, { ...empty, held: new Set([net.id]) })).toEqual([])
})

test('a removed network goes together with its VNI, and only as it was seen', () => {
  const [step] = planPublication(
    { ...own, endpoints: [], networks: [], removed: [net.id] },
    {
      ...complete,
      endpoints: new Map(),
    },
  )
  expect(step?.writes).toEqual([
    { kind: 'delete', key: networks.key(net.id), expected: 3n },
    { kind: 'delete', key: vnis.key(net.vni), expected: 3n },
  ])
})

test('a VNI that belongs to another network meanwhile is left to it', () => {
  const vnisTaken = new Map([[net.vni, at(networkId('other'))]])
  expect(keysOf({ ...complete, networks: new Map(), vnis: vnisTaken })).toEqual([])
})

test('the host record is never written over one that has not been seen', () => {
  const writes = planPublication(own, { ...complete, host: undefined }).flatMap(
    (step) => step.writes,
  )
  expect(writes).toMatchObject([{ key: hosts.key(self.id), expected: 0n }])
})

test('from any store to any facts in one round, in transactions that etcd takes', () => {
  const ids = Array.from({ length: 200 }, (_, index) => endpointId(`e${index}`))
  fc.assert(
    fc.property(fc.subarray(ids), fc.subarray(ids), (before, after) => {
      const store = new Map(before.map((id) => [keyed(id), at(named(id), 3n, 5n)]))
      const facts = { ...own, endpoints: after.map(named) }
      for (const { writes } of planPublication(facts, { ...complete, endpoints: store })) {
        expect(writes.length).toBeLessThanOrEqual(100)
        for (const write of writes) {
          if (write.kind === 'delete') store.delete(write.key)
          else store.set(write.key, at(endpoints.decode(write.text) ?? web, 4n, write.lease))
        }
      }
      expect(planPublication(facts, { ...complete, endpoints: store })).toEqual([])
      expect(store.size).toBe(after.length)
    }),
  )
})

test('what cannot be read under a key of ours is written again, over exactly that', () => {
  const keys = [clusterKey, hosts.key(self.id), networks.key(net.id), vnis.key(net.vni)]
  const foreign = new Map(keys.map((key) => [key, 9n]))
  const writes = planPublication(own, { ...nothing, foreign }).flatMap((step) => step.writes)
  for (const key of keys) {
    expect(writes).toContainEqual(expect.objectContaining({ kind: 'put', key, expected: 9n }))
  }
})

test('what cannot be read under other keys is left alone', () => {
  const foreign = new Map([['/weave/v1/nonsense', 9n]])
  expect(planPublication(own, { ...complete, foreign })).toEqual([])
})
