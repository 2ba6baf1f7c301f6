import { expect, test } from 'vitest'
import { createEndpointRequest, createNetworkRequest } from './driver-messages.ts'

const full = {
  NetworkID: 'n1',
  Options: { 'com.docker.network.generic': { 'weave.mtu': '1400' } },
  IPv4Data: [{ AddressSpace: 'LocalDefault', Pool: '10.1.0.0/24', Gateway: '10.1.0.1/24' }],
  IPv6Data: [],
}

test('keys are found whatever their case, and an exact one wins', () => {
  const mixed = { networkid: 'wrong', NETWORKID: 'worse', NetworkID: 'n1', ipv4data: full.IPv4Data }

  expect(createNetworkRequest.parse(mixed)).toEqual({ ...full, Options: {} })
})

test('null and missing are empty, and unknown keys are ignored', () => {
  expect(
    createNetworkRequest.parse({ NetworkID: 'n1', Options: null, IPv6Data: null, New: 1 }),
  ).toEqual({ NetworkID: 'n1', Options: {}, IPv4Data: [], IPv6Data: [] })
  expect(
    createEndpointRequest.parse({ NetworkID: 'n', EndpointID: 'e', Interface: null }).Interface,
  ).toEqual({ Address: '', AddressIPv6: '', MacAddress: undefined })
})

test('addresses come out in one spelling', () => {
  const request = createEndpointRequest.parse({
    NetworkID: 'n',
    EndpointID: 'e',
    Interface: {
      Address: '10.1.0.2/24',
      AddressIPv6: 'FD00:0::2/64',
      MacAddress: '02:42:0A:01:00:02',
    },
  })

  expect(request.Interface).toEqual({
    Address: '10.1.0.2/24',
    AddressIPv6: 'fd00::2/64',
    MacAddress: '02:42:0a:01:00:02',
  })
})

test.each([
  null,
  [],
  'text',
  { NetworkID: '' },
  { NetworkID: '../etc' },
  { NetworkID: 7 },
  { ...full, IPv4Data: {} },
  { ...full, IPv4Data: [{ Pool: '10.1.0.0' }] },
  { ...full, IPv4Data: ['10.1.0.0/24'] },
  { ...full, Options: [] },
])('%j is no network to be made', (body) => {
  expect(createNetworkRequest.safeParse(body).success).toBe(false)
})

test('a key named __proto__ changes nothing', () => {
  const body: unknown = JSON.parse('{"NetworkID":"n1","__proto__":{"Options":{"a":"b"}}}')

  expect(createNetworkRequest.parse(body).Options).toEqual({})
})
