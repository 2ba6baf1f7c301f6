import { expect, test } from 'vitest'
import { endpointId, hostId, ip, mac, networkId, vni } from '../../test/support/values.ts'
import type { Endpoint, Host, Network } from '../model/cluster.ts'
import { addRemote, gatherElsewhere, localSegments } from './segment.ts'
import type { LocalEndpoint } from './segment.ts'

const network: Network = { id: networkId('net'), vni: vni(7), subnets: [], multicast: false }
const mine: LocalEndpoint = {
  id: endpointId('mine'),
  network: network.id,
  mac: mac('02:42:0a:20:00:01'),
  addresses: [ip('10.32.0.1')],
  phase: 'joined',
}
const [self, left, right] = [host('self', 1), host('left', 2), host('right', 3)]
const far: Host = { ...host('far', 4), address: ip('fd99::4') }

function host(name: string, last: number): Host {
  return {
    id: hostId(name),
    nickname: name,
    address: ip(`192.0.2.${last}`),
    controlPort: 6783,
    dataPort: 6784,
    instance: 'i',
    version: '0',
  }
}

function endpoint(on: Host, last: number, id = `e${last}`): Endpoint {
  return {
    id: endpointId(id),
    network: network.id,
    host: on.id,
    mac: mac(`02:42:0a:20:00:0${last}`),
    addresses: [ip(`10.32.0.${last}`)],
  }
}

function segmentWith(...records: readonly Endpoint[]): ReturnType<typeof addRemote> {
  const [segment] = localSegments({
    networks: new Map([[network.id, network]]),
    endpoints: [mine],
    mtuBytes: 1450,
  })
  if (segment === undefined) throw new Error('no segment')
  const elsewhere = gatherElsewhere(network.id, {
    self,
    hosts: new Map([self, left, right, far].map((one) => [one.id, one])),
    endpointsIn: () => records.map((value, index) => ({ value, revision: BigInt(index) })),
  })
  return addRemote(segment, elsewhere)
}

test('a network nobody here uses costs nothing', () => {
  expect(
    localSegments({ networks: new Map([[network.id, network]]), endpoints: [], mtuBytes: 1450 }),
  ).toEqual([])
})

test('broadcasts go once to each other host that has an endpoint in the network', () => {
  expect(segmentWith(endpoint(left, 2), endpoint(left, 3), endpoint(self, 4)).flood).toEqual([
    { address: left.address, port: 6784 },
  ])
})

test('a record of a host that is not alive is not used', () => {
  expect(segmentWith(endpoint(host('dead', 9), 2))).toMatchObject({ remote: [], flood: [] })
})

test('a host of the other IP family is left out: no tunnel leads there', () => {
  expect(segmentWith(endpoint(far, 4))).toMatchObject({ remote: [], flood: [] })
  expect(segmentWith(endpoint(far, 4), endpoint(left, 2))).toMatchObject({
    remote: [{ mac: endpoint(left, 2).mac }],
    flood: [{ address: left.address }],
  })
})

test('our own endpoint wins a contested address, then the newest record', () => {
  const stolen = { ...endpoint(left, 1, 'thief'), mac: mac('02:00:00:00:00:09') }
  expect(segmentWith(stolen).remote).toMatchObject([{ addresses: [] }])

  const moved = [endpoint(left, 2, 'before'), endpoint(right, 2, 'after')]
  expect(segmentWith(...moved).remote).toMatchObject([
    {
      mac: moved[1]?.mac,
      addresses: [ip('10.32.0.2')],
      via: { address: right.address, port: 6784 },
    },
  ])
})

test('the MTU is what the user asked for, but never more than the underlay carries', () => {
  for (const [asked, got] of [
    [1300, 1300],
    [9000, 1450],
    [undefined, 1450],
  ] as const) {
    const networks = new Map([[network.id, { ...network, mtuBytes: asked }]])
    expect(localSegments({ networks, endpoints: [mine], mtuBytes: 1450 })).toMatchObject([
      { mtuBytes: got },
    ])
  }
})
