import { expect, test } from 'vitest'
import { endpointId, hostId, networkId, vni } from '../../test/support/values.ts'
import { definitionId } from '../model/definition.ts'
import {
  decodeCluster,
  definitions,
  encodeCluster,
  endpoints,
  hosts,
  networks,
  vnis,
} from './schema.ts'

test('every key survives the round trip', () => {
  expect(hosts.id(hosts.key(hostId('host-1')))).toBe('host-1')
  expect(networks.id(networks.key(networkId('net.1')))).toBe('net.1')
  expect(vnis.id(vnis.key(vni(16_777_215)))).toBe(16_777_215)
  const id = { network: networkId('n'), host: hostId('h'), endpoint: endpointId('e') }
  expect(endpoints.id(endpoints.key(id))).toEqual(id)
  expect(endpoints.key(id)).toBe('/weave/v1/endpoints/n/h/e')
  expect(decodeCluster(encodeCluster({ id: 'c' }))).toEqual({ id: 'c' })
  const cluster = { id: 'c', epoch: 'e' }
  expect(decodeCluster(encodeCluster(cluster))).toEqual(cluster)
  const network = definitionId({ driver: 'weave', name: 'a b/c' })
  const key = network === undefined ? '' : definitions.key(network)
  expect(key).toBe('/weave/v1/definitions/weave/a%20b%2Fc')
  expect(definitions.id(key)).toBe(network)
})

test.each([
  '/weave/v1/hosts/',
  '/weave/v1/hosts/A',
  '/weave/v1/hosts/a/b',
  '/weave/v1/networks/..',
  '/weave/v1/vnis/0',
  '/weave/v1/vnis/07',
  '/weave/v1/vnis/16777216',
  '/weave/v1/endpoints/n/h',
  '/weave/v1/endpoints/n/h/e/x',
  '/weave/v1/definitions/weave',
  '/weave/v1/definitions/weave/a/b',
  '/weave/v1/definitions//a',
  '/weave/v2/hosts/a',
  '',
])('%j is no key of ours', (key) => {
  for (const collection of [hosts, networks, vnis, endpoints, definitions]) {
    expect(collection.id(key)).toBeUndefined()
  }
})

test.each(['', 'not json', '{}', '[]', 'null', '{"id":"x"}'])('decode refuses %j', (text) => {
  for (const collection of [hosts, networks, endpoints, definitions]) {
    expect(collection.decode(text)).toBeUndefined()
  }
})
