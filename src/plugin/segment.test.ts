import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createNetworkRequest } from '../docker/driver-messages.ts'
import { isNetworkId } from '../model/cluster.ts'
import { contains, formatPrefix, networkOf, parsePrefix } from '../model/prefix.ts'
import type { Prefix } from '../model/prefix.ts'
import { readNetworkOptions } from './options.ts'
import { idOfSubnet, proposePart, segmentOf } from './segment.ts'
import type { Segment } from './segment.ts'

const pool = { AddressSpace: 'LocalDefault', Pool: '10.44.0.0/16' }

test('in global scope a network is what Docker calls it', () => {
  expect(make({ scope: 'global' })).toEqual({
    id: 'n1',
    spec: { subnets: ['10.44.0.0/16'], multicast: false },
  })
  expect(() => make({ scope: 'global', generic: { 'weave.network': 'x' } })).toThrow(
    'weave.network',
  )
})

test('an MTU that IPv6 does not work with is refused where there is IPv6', () => {
  const both = [pool, { AddressSpace: 'LocalDefault', Pool: 'fd00::/64' }]
  const small = { 'com.docker.network.driver.mtu': '1279' }
  const least = { 'com.docker.network.driver.mtu': '1280' }

  expect(() => make({ scope: 'global', pools: both, generic: small })).toThrow(/1279.*fd00::\/64/)
  expect(make({ scope: 'global', pools: both, generic: least }).spec.mtuBytes).toBe(1280)
  expect(make({ scope: 'global', generic: small }).spec.mtuBytes).toBe(1279)
})

test('in local scope a network is its name, or its first subnet', () => {
  const range = { 'weave.ip-range': '10.44.3.0/24' }

  expect(make({ generic: range }).id).toBe('10.44.0.0-16')
  expect(make({ generic: { ...range, 'weave.network': 'blue' } }).id).toBe('blue')
})

test('in local scope a network needs one of the two', () => {
  const none = { AddressSpace: '', Pool: '0.0.0.0/0' }

  expect(() => make({ pools: [none] })).toThrow('without a subnet and without a name')
  expect(make({ pools: [none], generic: { 'weave.network': 'blue' } })).toEqual({
    id: 'blue',
    spec: { subnets: [], multicast: false },
  })
})

test("another address management than Docker's own needs no range", () => {
  expect(make({ pools: [{ ...pool, AddressSpace: 'weave-local' }] }).id).toBe('10.44.0.0-16')
})

test('a range must be a part of the subnet, and every subnet needs one', () => {
  const two = [pool, { AddressSpace: 'LocalDefault', Pool: 'fd00::/64' }]

  expect(() => make({ generic: { 'weave.ip-range': '10.45.0.0/24' } })).toThrow(
    '10.45.0.0/24 is not a part of the subnet',
  )
  expect(() => make({ generic: { 'weave.ip-range': '10.44.0.0/16' } })).toThrow('not a part')
  expect(() => make({ pools: two, generic: { 'weave.ip-range': '10.44.1.0/24' } })).toThrow(
    'fd00::/64',
  )
})

test('the command that is proposed is one that works', () => {
  const two = [pool, { AddressSpace: 'LocalDefault', Pool: 'fd00::/64' }]
  const { remedy } = refusal({ pools: two })

  expect(remedy).toMatch(/docker network create --driver=weave2 --ipv6 --subnet=10\.44\.0\.0\/16/)
  const [, range = ''] = /-o weave\.ip-range=(\S+) NAME$/.exec(remedy) ?? []
  expect(make({ pools: two, generic: { 'weave.ip-range': range } }).id).toBe('10.44.0.0-16')
})

test('the ID of a subnet is an ID, and another for another subnet', () => {
  fc.assert(
    fc.property(subnets(), subnets(), (left, right) => {
      expect(isNetworkId(idOfSubnet(left))).toBe(true)
      expect(idOfSubnet(left) === idOfSubnet(right)).toBe(
        formatPrefix(left) === formatPrefix(right),
      )
    }),
  )
})

test('the part proposed for a host is a proper part of the subnet, and not its first', () => {
  fc.assert(
    fc.property(subnets(), fc.string(), (subnet, hostname) => {
      const part = proposePart(subnet, hostname)
      const tight = subnet.length > (subnet.address.includes(':') ? 125 : 29)

      expect(contains(subnet, part.address)).toBe(true)
      expect(networkOf(part)).toEqual(part)
      expect(part.length > subnet.length && part.address !== subnet.address).toBe(!tight)
    }),
  )
})

interface Given {
  readonly scope?: 'global' | 'local'
  readonly pools?: readonly unknown[]
  readonly generic?: Readonly<Record<string, string>>
}

function make({ scope = 'local', pools = [pool], generic = {} }: Given): Segment {
  const request = createNetworkRequest.parse({
    NetworkID: 'n1',
    Options: { 'com.docker.network.generic': generic },
    IPv4Data: pools,
  })
  const options = readNetworkOptions(request.Options)
  return segmentOf({ request, options }, { scope, driverName: 'weave2', hostname: 'host-a' })
}

function refusal(given: Given): { remedy: string } {
  try {
    make(given)
  } catch (error) {
    return error as { remedy: string }
  }
  throw new Error('was not refused')
}

function subnets(): fc.Arbitrary<Prefix> {
  const v4 = fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 }))
  const v6 = fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 128 }))
  return fc.oneof(v4, v6).map(([address, length]) => {
    const prefix = parsePrefix(`${address}/${length}`)
    if (prefix === undefined) throw new Error(`not a prefix: ${address}/${length}`)
    return networkOf(prefix)
  })
}
