import { isIpAddress } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import type { HostId } from '../model/cluster.ts'
import type { BlockRecord } from '../store/schema.ts'
import type { Lent } from './ledger.ts'

/** A block record's loans, with their addresses as what they are. */
export function readLent({ lent }: Pick<BlockRecord, 'lent'>): Lent {
  const loans = new Map<IpAddress, HostId>()
  for (const [address, to] of Object.entries(lent)) {
    if (isIpAddress(address)) loans.set(address, to)
  }
  return loans
}
