import { expect, test } from 'vitest'
import { definitionId, differences, idOfSubnet, isDefinition, segmentOf } from './definition.ts'
import type { NetworkSettings } from './definition.ts'
import { parsePrefix } from './prefix.ts'

const web: NetworkSettings = {
  ipamDriver: 'weave',
  ipamOptions: {},
  ipam: [{ subnet: '10.32.0.0/24', gateway: '10.32.0.1' }],
  options: { 'weave.mtu': '1400' },
  labels: { env: 'test' },
  internal: false,
  attachable: true,
  ipv4: true,
  ipv6: false,
}

test.each([
  ['app_default', 'weave/app_default'],
  ['ein Netz/ü', 'weave/ein%20Netz%2F%C3%BC'],
  ['..', 'weave/..'],
  ['x'.repeat(194), `weave/${'x'.repeat(194)}`],
  ['x'.repeat(195), undefined],
  ['', undefined],
  ['\ud800', undefined],
])('network %j has ID %j', (name, id) => {
  expect(definitionId({ driver: 'weave', name })).toBe(id)
})

test('what nobody chose does not count as a difference', () => {
  const seen = {
    ...web,
    ipam: [{ subnet: '10.32.0.0/24' }],
    labels: { ...web.labels, 'com.docker.compose.version': '2.29.0' },
    options: { ...web.options, 'com.docker.network.enable_ipv4': 'true' },
  }

  expect(differences(seen, web)).toEqual([])
  expect(differences(web, seen)).toEqual([])
})

test('nor does the order of the families', () => {
  const pools = [{ subnet: 'fd00::/64' }, { subnet: '10.32.0.0/24' }]

  expect(differences({ ...web, ipam: pools }, { ...web, ipam: pools.toReversed() })).toEqual([])
})

test.each<[Partial<NetworkSettings>, string]>([
  [{ ipamDriver: 'null' }, 'IPAM driver: "null" here, "weave" in the cluster'],
  [{ ipamOptions: { a: 'b' } }, 'IPAM option a: "b" here, none in the cluster'],
  [{ ipam: [] }, 'subnet: none here, "10.32.0.0/24" in the cluster'],
  [
    { ipam: [{ subnet: '10.32.0.0/24', ipRange: '10.32.0.0/25' }] },
    'ip-range: "10.32.0.0/25" here, none in the cluster',
  ],
  [
    { ipam: [{ subnet: '10.32.0.0/24', gateway: '10.32.0.9' }] },
    'gateway: "10.32.0.9" here, "10.32.0.1" in the cluster',
  ],
  [
    { ipam: [{ subnet: '10.32.0.0/24', auxAddresses: { p: '10.32.0.8' } }] },
    'aux-address p: "10.32.0.8" here, none in the cluster',
  ],
  [{ options: {} }, 'option weave.mtu: none here, "1400" in the cluster'],
  [{ labels: { env: 'live' } }, 'label env: "live" here, "test" in the cluster'],
  [{ internal: true }, 'internal: true here, false in the cluster'],
  [{ attachable: false }, 'attachable: false here, true in the cluster'],
  [{ ipv4: false }, 'IPv4: false here, true in the cluster'],
  [{ ipv6: true }, 'IPv6: true here, false in the cluster'],
])('%j makes it another network', (change, difference) => {
  expect(differences({ ...web, ...change }, web)).toEqual([difference])
})

test('a segment is named by its user, or else by its first IPv4 subnet, or its first', () => {
  const dual = [{ subnet: 'fd00::/64' }, { subnet: '10.32.0.0/24' }]

  expect(segmentOf({ ...web, options: { 'weave.network': 'blue' } })).toBe('blue')
  expect(segmentOf({ ...web, options: { 'weave.network': 'not a name' } })).toBeUndefined()
  expect(segmentOf({ ...web, ipam: dual })).toBe('10.32.0.0-24')
  expect(segmentOf({ ...web, ipam: dual.slice(0, 1) })).toBe('fd00..-64')
  expect(segmentOf({ ...web, ipam: [] })).toBeUndefined()
})

test.each([
  ['10.44.3.9/16', '10.44.0.0-16'],
  ['::/64', '0..-64'],
  ['0.0.0.0/0', undefined],
])('subnet %j is segment %j', (subnet, id) => {
  expect(idOfSubnet(parsePrefix(subnet))).toBe(id)
})

const definition = { ...web, driver: 'weave', name: 'web', generation: '0'.repeat(32) }

test('a definition is one with all of its fields, and unknown ones are left alone', () => {
  expect(isDefinition(definition)).toBe(true)
  expect(isDefinition({ ...definition, later: 1 })).toBe(true)
})

test.each<Record<string, unknown>>([
  { name: undefined },
  { generation: 'short' },
  { ipam: {} },
  { ipam: [{ subnet: 'x' }] },
  { ipam: [{ subnet: '10.0.0.0/8', gateway: '10.0.0.1/8' }] },
  { ipam: [{ subnet: '10.0.0.0/8', auxAddresses: { a: 1 } }] },
  { labels: { a: 1 } },
  { labels: null },
  { internal: 'yes' },
  { ipv4: undefined },
])('with %j it is none', (change) => {
  expect(isDefinition({ ...definition, ...change })).toBe(false)
})
