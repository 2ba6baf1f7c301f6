import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseIp } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import { isHostId } from '../model/cluster.ts'
import type { HostId } from '../model/cluster.ts'
import { blockAt, poolOf } from '../model/pool.ts'
import type { Pool } from '../model/pool.ts'
import { parsePrefix } from '../model/prefix.ts'
import { decodeLedger, encodeLedger } from './ledger-text.ts'
import {
  addBlock,
  addSingle,
  createLedger,
  dropBlock,
  emptyBlock,
  lend,
  lentOf,
  release,
  take,
  takeBack,
  takeExactly,
  takeResting,
} from './ledger.ts'
import type { Ledger } from './ledger.ts'

const now = { nowMs: 100_000, restMs: 1000 }
const later = { ...now, nowMs: 102_000 }

test('a released address rests, and is taken before its time only when asked for so', () => {
  const ledger = ledgerWith(1)
  const given = takeAll(ledger)
  const address = given[3]
  if (address === undefined) throw new Error('too few')
  expect(release(ledger, address, now)).toBe(true)

  expect(take(ledger, now)).toBeUndefined()
  expect(takeResting(ledger, now)).toBe(address)
  release(ledger, address, now)
  expect(take(ledger, later)).toBe(address)
})

test('a clock that was put back does not keep addresses from being used', () => {
  const ledger = ledgerWith(1)
  const [first] = takeAll(ledger)
  if (first !== undefined) release(ledger, first, later)

  expect(take(ledger, { nowMs: 5, restMs: 1000 })).toBe(first)
})

test('nothing is handed out of a closed block', () => {
  const ledger = ledgerWith(1)
  for (const block of ledger.blocks.values()) block.closed = true

  expect(take(ledger, now)).toBeUndefined()
  expect(takeExactly(ledger, ip('10.0.0.5'), now)).toBe('elsewhere')
  expect(lend(ledger, host('b'), { now })).toBeUndefined()
})

test('what is lent is neither given nor lent to another, until it is taken back and has rested', () => {
  const ledger = ledgerWith(1)
  const address = lend(ledger, host('b'), { now, wanted: ip('10.0.0.5') })

  expect(address).toBe('10.0.0.5')
  expect(lend(ledger, host('b'), { now, wanted: ip('10.0.0.5') })).toBe('10.0.0.5')
  expect(lend(ledger, host('c'), { now, wanted: ip('10.0.0.5') })).toBeUndefined()
  expect(takeAll(ledger)).not.toContain('10.0.0.5')
  takeBack(ledger, ip('10.0.0.5'), now)
  expect(take(ledger, now)).toBeUndefined()
  expect(take(ledger, later)).toBe('10.0.0.5')
})

test('a block of which something is used or lent is not empty', () => {
  const ledger = ledgerWith(2)
  const first = takeExactly(ledger, ip('10.0.0.5'), now)
  lend(ledger, host('b'), { now, wanted: ip('10.0.0.20') })

  expect(first).toBe('taken')
  expect(emptyBlock(ledger, now)).toBeUndefined()
  release(ledger, ip('10.0.0.5'), now)
  expect(emptyBlock(ledger, now)).toBeUndefined()
  expect(emptyBlock(ledger, later)).toBe('10.0.0.0-28')
})

test('a block that comes to the host which had borrowed of it leaves that as it is', () => {
  const ledger = createLedger(pool())
  addSingle(ledger, ip('10.0.0.5'), { from: host('b'), nowMs: now.nowMs })
  const lent = new Map([
    [ip('10.0.0.5'), host('a')],
    [ip('10.0.0.6'), host('c')],
  ])
  addBlock(ledger, blockAt(pool(), 0n), { lent, used: [ip('10.0.0.7')], nowMs: now.nowMs })

  expect(ledger.singles.size).toBe(0)
  expect(takeExactly(ledger, ip('10.0.0.5'), now)).toBe('in-use')
  expect([...lentOf(ledger)]).toEqual([['10.0.0.6', 'c']])
  expect(takeAll(ledger)).toHaveLength(12)
})

test('addresses in use outlive the loss of their block', () => {
  const ledger = ledgerWith(1)
  takeExactly(ledger, ip('10.0.0.5'), now)

  expect(dropBlock(ledger, blockAt(pool(), 0n))).toEqual(['10.0.0.5'])
  expect(take(ledger, now)).toBeUndefined()
  expect(takeExactly(ledger, ip('10.0.0.5'), now)).toBe('in-use')
})

test('a ledger is what its text says, and other texts are none', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 30 }), (picks) => {
      const ledger = ledgerWith(2)
      ledger.refs = picks.length
      for (const pick of picks) {
        const address = ip(`10.0.0.${pick}`)
        if (pick % 3 === 0) takeExactly(ledger, address, now)
        else if (pick % 3 === 1) lend(ledger, host('b'), { now, wanted: address })
        else release(ledger, address, now)
        if (pick > 31) addSingle(ledger, address, { from: null, nowMs: 1 })
      }
      const text = encodeLedger(ledger)
      expect(decodeLedger(text)).toEqual(ledger)
      expect(decodeLedger(text.slice(1))).toBeUndefined()
    }),
  )
})

test.each([
  '',
  '[]',
  '{"pool":"local_10.0.0.0-24"}',
  '{"pool":"x","refs":1,"next":"0","blocks":[],"singles":{},"reserved":[],"states":{}}',
  '{"pool":"local_10.0.0.0-24","refs":-1,"next":"0","blocks":[],"singles":{},"reserved":[],"states":{}}',
  '{"pool":"local_10.0.0.0-24","refs":1,"next":"0","blocks":[{"id":"10.9.0.0-28","closed":false}],"singles":{},"reserved":[],"states":{}}',
  '{"pool":"local_10.0.0.0-24","refs":1,"next":"0","blocks":[],"singles":{},"reserved":[],"states":{"10.0.0.1":{"kind":"lent"}}}',
])('%s is no ledger', (text) => {
  expect(decodeLedger(text)).toBeUndefined()
})

function ledgerWith(blocks: number): Ledger {
  const ledger = createLedger(pool())
  for (let index = 0; index < blocks; index += 1) {
    addBlock(ledger, blockAt(pool(), BigInt(index)), { lent: new Map(), used: [], nowMs: 0 })
  }
  return ledger
}

function takeAll(ledger: Ledger): readonly IpAddress[] {
  const given: IpAddress[] = []
  for (;;) {
    const address = take(ledger, now)
    if (address === undefined) return given
    given.push(address)
  }
}

function pool(): Pool {
  const subnet = parsePrefix('10.0.0.0/24')
  const found = subnet === undefined ? undefined : poolOf('local', subnet)
  if (found === undefined) throw new Error('no pool')
  return found
}

function host(text: string): HostId {
  if (!isHostId(text)) throw new Error(text)
  return text
}

function ip(text: string): IpAddress {
  const found = parseIp(text)
  if (found === undefined) throw new Error(text)
  return found
}
