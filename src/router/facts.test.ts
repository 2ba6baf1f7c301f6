import { expect, test } from 'vitest'
import { endpointId, mac, networkId, vni } from '../../test/support/values.ts'
import { requireNetworks } from './facts.ts'
import type { KnownNetwork, OwnEndpoint } from './facts.ts'

const net: KnownNetwork = { id: networkId('net'), vni: vni(7), subnets: [], multicast: false }
const web: OwnEndpoint = {
  id: endpointId('web'),
  network: net.id,
  mac: mac('02:42:0a:20:00:01'),
  subnetAddresses: [],
  phase: 'joined',
  since: '',
}

test('links can be told apart only while the network of every endpoint is known', () => {
  const endpoints = new Map([[web.id, web]])
  requireNetworks({ networks: new Map([[net.id, net]]), endpoints })
  expect(() => requireNetworks({ networks: new Map(), endpoints })).toThrow('network net')
})
