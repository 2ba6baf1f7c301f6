/** A ledger as the text of a file, and back. Strict: a file that says anything else is damaged. */

import { isIpAddress } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import { isHostId, isRecord } from '../model/cluster.ts'
import { readBlockId, readPoolId } from '../model/pool.ts'
import type { BlockId } from '../model/pool.ts'
import { createLedger } from './ledger.ts'
import type { Ledger, State } from './ledger.ts'

export function encodeLedger(ledger: Ledger): string {
  const { pool, refs, states, blocks, singles, reserved, next } = ledger
  return JSON.stringify({
    pool: pool.id,
    refs,
    next: String(next),
    blocks: [...blocks].map(([id, { closed }]) => ({ id, closed })),
    singles: Object.fromEntries(singles),
    reserved: [...reserved],
    states: Object.fromEntries(states),
  })
}

export function decodeLedger(text: string): Ledger | undefined {
  const value = parse(text)
  const pool = isRecord(value) ? readPoolId(value['pool']) : undefined
  if (!isRecord(value) || pool === undefined) return undefined
  const ledger = createLedger(pool)
  const { refs, next, blocks, singles, reserved, states } = value
  if (!Number.isSafeInteger(refs) || Number(refs) < 0) return undefined
  if (typeof next !== 'string' || !/^\d{1,40}$/.test(next)) return undefined
  ledger.refs = Number(refs)
  ledger.next = BigInt(next)
  const isRead =
    readList(blocks, (block) => readBlock(ledger, block)) &&
    readList(reserved, (address) => isIpAddress(address) && ledger.reserved.add(address)) &&
    readMap(singles, (address, from) => readSingle(ledger, address, from)) &&
    readMap(states, (address, state) => readState(ledger, address, state))
  return isRead ? ledger : undefined
}

function readBlock(ledger: Ledger, value: unknown): boolean {
  if (!isRecord(value) || typeof value['closed'] !== 'boolean') return false
  const { id, closed } = value
  if (!isBlockId(ledger, id)) return false
  ledger.blocks.set(id, { closed })
  return true
}

function readSingle({ singles }: Ledger, address: IpAddress, from: unknown): boolean {
  if (from !== null && !isHostId(from)) return false
  singles.set(address, from)
  return true
}

function readState({ states }: Ledger, address: IpAddress, value: unknown): boolean {
  if (!isState(value)) return false
  states.set(address, value)
  return true
}

function isBlockId({ pool }: Ledger, id: unknown): id is BlockId {
  return readBlockId(pool, id) !== undefined
}

function isState(value: unknown): value is State {
  if (!isRecord(value)) return false
  const { kind, sinceMs, to } = value
  return kind === 'lent'
    ? isHostId(to)
    : (kind === 'used' || kind === 'resting') && Number.isFinite(sinceMs)
}

function readList(value: unknown, read: (item: unknown) => unknown): boolean {
  return Array.isArray(value) && value.every((item) => Boolean(read(item)))
}

function readMap(value: unknown, read: (address: IpAddress, item: unknown) => boolean): boolean {
  return (
    isRecord(value) &&
    Object.entries(value).every(([address, item]) => isIpAddress(address) && read(address, item))
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
