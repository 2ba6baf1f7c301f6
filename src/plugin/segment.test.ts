import { expect, test } from 'vitest'
import { createNetworkRequest } from '../docker/driver-messages.ts'
import { readNetworkOptions } from './options.ts'
import { segmentOf } from './segment.ts'
import type { Segment } from './segment.ts'

const pool = { AddressSpace: 'LocalDefault', Pool: '10.44.0.0/16' }
const ours = { ...pool, AddressSpace: 'weave-local' }

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
  expect(make({ pools: [ours] }).id).toBe('10.44.0.0-16')
  expect(make({ pools: [ours], generic: { 'weave.network': 'blue' } }).id).toBe('blue')
})

test('in local scope a network needs one of the two', () => {
  const none = { AddressSpace: '', Pool: '0.0.0.0/0' }

  expect(() => make({ pools: [none] })).toThrow('without a subnet and without a name')
  expect(make({ pools: [none], generic: { 'weave.network': 'blue' } })).toEqual({
    id: 'blue',
    spec: { subnets: [], multicast: false },
  })
})

test("in local scope Docker's own address management is refused, also for a named network", () => {
  const two = [pool, { AddressSpace: 'LocalDefault', Pool: 'fd00::/64' }]

  expect(() => make({ generic: { 'weave.network': 'blue' } })).toThrow('10.44.0.0/16')
  expect(refusal({}).remedy).toContain(
    ': docker network create --driver=weave2 --ipam-driver=weave2 NAME.',
  )
  expect(refusal({ pools: two }).remedy).toContain(' --ipam-driver=weave2 --ipv6 NAME.')
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
  return segmentOf({ request, options }, { scope, driverName: 'weave2' })
}

function refusal(given: Given): { remedy: string } {
  try {
    make(given)
  } catch (error) {
    return error as { remedy: string }
  }
  throw new Error('was not refused')
}
