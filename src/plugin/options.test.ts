import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fault } from '../model/fault.ts'
import { readNetworkOptions } from './options.ts'
import type { NetworkOptions } from './options.ts'

function read(generic: unknown): NetworkOptions {
  return readNetworkOptions({ 'com.docker.network.generic': generic })
}

test('no options are no multicast, no MTU, and nothing to note', () => {
  const plain = { multicast: false, notes: [] }

  expect(readNetworkOptions({})).toEqual(plain)
  expect(read(null)).toEqual(plain)
  expect(read({})).toEqual(plain)
})

test('multicast without a value is yes, and otherwise as Go reads it', () => {
  expect(read({ 'works.weave.multicast': '' }).multicast).toBe(true)
  expect(read({ 'works.weave.multicast': 'T' }).multicast).toBe(true)
  expect(read({ 'works.weave.multicast': 'false' }).multicast).toBe(false)
  expect(() => read({ 'works.weave.multicast': 'yes' })).toThrow('"yes" is neither true nor false')
})

test('the MTU may be said twice, but not differently', () => {
  const docker = { 'com.docker.network.driver.mtu': '1400' }

  expect(read({ ...docker, 'weave.mtu': '1400' }).mtuBytes).toBe(1400)
  expect(() => read({ ...docker, 'weave.mtu': '1300' })).toThrow('but')
})

test('any whole number within the range is an MTU, and no other text', () => {
  fc.assert(
    fc.property(fc.integer({ min: 576, max: 65_535 }), (mtu) => {
      expect(read({ 'com.docker.network.driver.mtu': String(mtu) }).mtuBytes).toBe(mtu)
    }),
  )
  for (const text of ['', '575', '65536', '1e3', '1400.5', '-1400', '0x600', ' 1400']) {
    expect(() => read({ 'weave.mtu': text }), text).toThrow('is not a whole number')
  }
})

test.each([
  ['weave.multicast', 'works.weave.multicast'],
  ['works.weave.multicats', 'works.weave.multicast'],
  ['works.weave.mtu', 'weave.mtu'],
  ['weave.netwrok', 'weave.network'],
])('%s is refused, %s proposed', (key, meant) => {
  expect(() => read({ [key]: '' })).toThrow(`did you mean ${meant}?`)
})

test('an unknown key of ours that resembles none is refused with all that there are', () => {
  expect(() => read({ 'weave.frobnicate': '1' })).toThrow('known are works.weave.multicast')
})

test('encryption is not promised', () => {
  expect(() => read({ encrypted: '' })).toThrow('cannot encrypt')
  expect(read({ encrypted: 'false' }).notes).toHaveLength(1)
})

test('keys of others are accepted and noted', () => {
  const foreign = fc
    .string({ minLength: 1 })
    .filter((key) => !/^(?:works\.)?weave\.|^encrypted$|driver\.mtu$|^__proto__$/.test(key))
  fc.assert(
    fc.property(foreign, fc.string(), (key, value) => {
      expect(read({ [key]: value }).notes).toEqual([expect.stringContaining(key)])
    }),
  )
})

test('whatever comes, it is understood or refused with a fault', () => {
  const keys = fc.oneof(
    fc.constantFrom('weave.mtu', 'weave.network', 'works.weave.multicast'),
    fc.string().map((text) => `weave.${text}`),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.anything(), fc.dictionary(keys, fc.anything()), (junk, options) => {
      for (const generic of [junk, options]) {
        expect(outcome(generic)).toMatch(/^(?:understood|fault)$/)
      }
    }),
  )
})

function outcome(generic: unknown): string {
  try {
    read(generic)
    return 'understood'
  } catch (error) {
    return error instanceof Fault ? 'fault' : String(error)
  }
}
