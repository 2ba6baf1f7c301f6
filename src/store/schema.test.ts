import { expect, test } from 'vitest'
import { endpointId, hostId, networkId, staticNameId, vni } from '../../test/support/values.ts'
import { definitionId } from '../model/definition.ts'
import {
  decodeCluster,
  definitions,
  encodeCluster,
  endpoints,
  hosts,
  networks,
  staticNames,
  vnis,
} from './schema.ts'

test('every key survives the round trip', () => {
  expect(hosts.id(hosts.key(hostId('host-1')))).toBe('host-1')
  expect(networks.id(networks.key(networkId('net.1')))).toBe('net.1')
  expect(vnis.id(vnis.key(vni(16_777_215)))).toBe(16_777_215)
  const id = { network: networkId('n'), host: hostId('h'), endpoint: endpointId('e') }
  expect(endpoints.id(endpoints.key(id))).toEqual(id)
  expect(endpoints.key(id)).toBe('/weave/v1/endpoints/n/h/e')
  const name = { host: hostId('h'), id: staticNameId('a'.repeat(32)) }
  expect(staticNames.id(staticNames.key(name))).toEqual(name)
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
  '/weave/v1/names/h',
  '/weave/v1/names/h/printer',
  `/weave/v1/names/h/${'a'.repeat(32)}/x`,
  '/weave/v1/definitions/weave',
  '/weave/v1/definitions/weave/a/b',
  '/weave/v1/definitions//a',
  '/weave/v2/hosts/a',
  '',
])('%j is no key of ours', (key) => {
  for (const collection of [hosts, networks, vnis, endpoints, staticNames, definitions]) {
    expect(collection.id(key)).toBeUndefined()
  }
})

test.each(['', 'not json', '{}', '[]', 'null', '{"id":"x"}'])('decode refuses %j', (text) => {
  for (const collection of [hosts, networks, endpoints, staticNames, definitions]) {
    expect(collection.decode(text)).toBeUndefined()
  }
})

test('an endpoint whose names make no sense is one without names', () => {
  const endpoint = { id: 'e', network: 'n', host: 'h', mac: '02:42:0a:20:00:01', addresses: [] }
  const naming = { container: 'c2ce8a03998c', network: 'front', names: ['web', 'web.example'] }
  expect(endpoints.decode(JSON.stringify({ ...endpoint, naming }))).toEqual({ ...endpoint, naming })
  const many = Array.from({ length: 65 }, (_, index) => `n${index}`)
  const bad = ['Web', 'web.', 'a..b', '-a', 'x'.repeat(64), 7]
  for (const names of [many, ...bad.map((name) => [name])]) {
    const text = JSON.stringify({ ...endpoint, naming: { ...naming, names } })
    expect(endpoints.decode(text)).toEqual(endpoint)
  }
})
