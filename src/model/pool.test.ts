import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ipFromNumber, ipNumber, parseIp } from './address.ts'
import type { IpAddress } from './address.ts'
import {
  blockAt,
  blockCount,
  blockLength,
  blockOf,
  conflict,
  defaultGateway,
  isAssignable,
  poolOf,
  poolSize,
  readBlockId,
  readPoolId,
} from './pool.ts'
import type { Pool } from './pool.ts'
import { addressBits, formatPrefix, parsePrefix } from './prefix.ts'

test.each([
  ['10.32.0.0/20', undefined, 'local_10.32.0.0-20', 26, 64n],
  ['10.32.0.0/24', undefined, 'local_10.32.0.0-24', 28, 16n],
  ['10.32.0.0/12', undefined, 'local_10.32.0.0-12', 22, 1024n],
  ['10.32.0.0/16', '10.32.7.0/24', 'local_10.32.0.0-16_10.32.7.0-24', 28, 16n],
  ['10.32.0.4/30', undefined, 'local_10.32.0.4-30', 31, 2n],
  ['10.32.0.4/32', undefined, 'local_10.32.0.4-32', 32, 1n],
  ['fd00::/64', undefined, 'local_fd00..-64', 116, 1n << 52n],
])('%s %s is pool %s, in blocks of /%i', (subnet, range, id, length, count) => {
  const pool = given(subnet, range)

  expect(pool.id).toBe(id)
  expect(blockLength(pool)).toBe(length)
  expect(blockCount(pool)).toBe(count)
})

test('a range that is not a part of the subnet makes no pool', () => {
  expect(poolOf('local', prefix('10.0.0.0/24'), prefix('10.0.1.0/25'))).toBeUndefined()
  expect(poolOf('local', prefix('10.0.0.0/24'), prefix('10.0.0.0/16'))).toBeUndefined()
})

test.each([
  ['10.0.0.0/24', '10.0.0.0', false],
  ['10.0.0.0/24', '10.0.0.255', false],
  ['10.0.0.0/24', '10.0.0.1', true],
  ['10.0.0.0/24', '10.0.1.1', false],
  ['10.0.0.0/31', '10.0.0.0', true],
  ['10.0.0.0/31', '10.0.0.1', true],
  ['10.0.0.9/32', '10.0.0.9', true],
  ['fd00::/64', 'fd00::', false],
  ['fd00::/64', 'fd00::ffff:ffff:ffff:ffff', true],
])('in %s, %s may be an interface’s: %s', (subnet, address, expected) => {
  expect(isAssignable(given(subnet), ip(address))).toBe(expected)
})

test.each([
  ['10.0.0.0/24', '10.0.0.1'],
  ['10.0.0.0/31', '10.0.0.0'],
  ['10.0.0.9/32', '10.0.0.9'],
  ['fd00::/64', 'fd00::1'],
])('the gateway of %s is %s', (subnet, gateway) => {
  expect(defaultGateway(given(subnet))).toBe(gateway)
})

test.each([
  ['10.0.0.0/16', undefined, '10.0.1.0/24', undefined, true],
  ['10.0.0.0/24', undefined, '10.0.1.0/24', undefined, false],
  ['10.0.0.0/24', undefined, '10.0.0.0/24', undefined, false],
  ['10.0.0.0/24', '10.0.0.0/25', '10.0.0.0/24', '10.0.0.128/25', false],
  ['10.0.0.0/24', '10.0.0.0/25', '10.0.0.0/24', '10.0.0.64/26', true],
  ['10.0.0.0/24', undefined, '10.0.0.0/24', '10.0.0.64/26', true],
])('%s %s and %s %s are in each other’s way: %s', (a, aRange, b, bRange, expected) => {
  expect(conflict(given(a, aRange), given(b, bRange))).toBe(expected)
  expect(conflict(given(b, bRange), given(a, aRange))).toBe(expected)
})

test('every address of the range is in exactly one block, and IDs are read back', () => {
  fc.assert(
    fc.property(anyPool(), fc.bigInt(0n, (1n << 64n) - 1n), (pool, anywhere) => {
      const bits = addressBits(pool.range.address)
      const size = 1n << BigInt(bits - pool.range.length)
      const address = ipFromNumber(ipNumber(pool.range.address) + (anywhere % size), bits)
      if (address === undefined) throw new Error('not in the family')

      const block = blockOf(pool, address)
      const index = (anywhere % size) >> BigInt(bits - blockLength(pool))
      expect(block).toBe(blockAt(pool, index))
      expect(index < blockCount(pool)).toBe(true)
      expect(readBlockId(pool, block)).toBeDefined()
      expect(readPoolId(pool.id)).toEqual(pool)
    }),
  )
})

test('the size of a pool is what counting its addresses gives', () => {
  fc.assert(
    fc.property(anyPool(), (pool) => {
      const bits = addressBits(pool.range.address)
      fc.pre(bits - pool.range.length <= 8)
      const first = ipNumber(pool.range.address)
      const all = Array.from({ length: 2 ** (bits - pool.range.length) }, (_, index) =>
        ipFromNumber(first + BigInt(index), bits),
      )
      const assignable = all.filter((one) => one !== undefined && isAssignable(pool, one))
      expect(poolSize(pool)).toBe(BigInt(assignable.length))
    }),
  )
})

test.each(['', 'local', 'local_10.0.0.1-24', 'global_10.0.0.0-33', 'l_10.0.0.0-8', 'local_x-8'])(
  '%j is no pool',
  (text) => {
    expect(readPoolId(text)).toBeUndefined()
  },
)

function anyPool(): fc.Arbitrary<Pool> {
  const v4 = fc.record({
    family: fc.constant(32 as const),
    seed: fc.bigInt(0n, (1n << 32n) - 1n),
    length: fc.integer({ min: 0, max: 32 }),
    more: fc.integer({ min: 0, max: 32 }),
  })
  const v6 = fc.record({
    family: fc.constant(128 as const),
    seed: fc.bigInt(0n, (1n << 128n) - 1n),
    length: fc.integer({ min: 0, max: 128 }),
    more: fc.integer({ min: 0, max: 128 }),
  })
  return fc.oneof(v4, v6).map(({ family, seed, length, more }) => {
    const address = ipFromNumber(seed, family)
    if (address === undefined) throw new Error('not in the family')
    const range = { address, length: Math.min(family, length + more) }
    const pool = poolOf('local', { address, length }, range)
    if (pool === undefined) throw new Error(formatPrefix(range))
    return pool
  })
}

function given(subnet: string, range?: string): Pool {
  const pool = poolOf('local', prefix(subnet), range === undefined ? undefined : prefix(range))
  if (pool === undefined) throw new Error(`${subnet} ${range}`)
  return pool
}

function prefix(text: string): ReturnType<typeof parsePrefix> & object {
  const found = parsePrefix(text)
  if (found === undefined) throw new Error(text)
  return found
}

function ip(text: string): IpAddress {
  const found = parseIp(text)
  if (found === undefined) throw new Error(text)
  return found
}
