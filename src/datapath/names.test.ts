import fc from 'fast-check'
import { expect, test } from 'vitest'
import { endpointId, vni } from '../../test/support/values.ts'
import { maxVni } from '../model/cluster.ts'
import { bridgeName, containerEndName, hostEndName, parseLinkName, tunnelName } from './names.ts'

test('a VNI survives the round trip through a name of at most 15 characters', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: maxVni }), (number) => {
      expect(parseLinkName(bridgeName(vni(number)))).toEqual({ kind: 'bridge', vni: number })
      expect(parseLinkName(tunnelName(vni(number)))).toEqual({ kind: 'tunnel', vni: number })
      expect(bridgeName(vni(number)).length).toBeLessThanOrEqual(15)
    }),
  )
})

test('endpoints that share a long prefix get different names', () => {
  const ids = Array.from({ length: 20_000 }, (_, index) => endpointId('a'.repeat(50) + index))
  expect(new Set(ids.map(hostEndName)).size).toBe(ids.length)
  expect(hostEndName(ids[0] ?? endpointId('x'))).toHaveLength(15)
  expect(parseLinkName(containerEndName(endpointId('x')))).toMatchObject({ kind: 'container-end' })
})

test.each(['eth0', 'docker0', 'wvlab0', 'wvb1', 'wvb000000', 'wvhxyz', 'veth12345678901'])(
  '%s is not ours',
  (name) => {
    expect(parseLinkName(name)).toBeUndefined()
  },
)
