/** Chooses a subnet for a network whose user named none. */

import { ipFromNumber, ipNumber } from '../model/address.ts'
import { addressBits, networkOf, overlaps } from '../model/prefix.ts'
import type { Prefix } from '../model/prefix.ts'

export interface Wanted {
  /** Where subnets may be taken from. */
  readonly from: Prefix
  /** Prefix length of the subnet. */
  readonly length: number
  /** What it must not have an address in common with. */
  readonly taken: readonly Prefix[]
}

/** The lowest that is free; undefined when none is. */
export function chooseSubnet({ from, length, taken }: Wanted): Prefix | undefined {
  const bits = addressBits(from.address)
  const inTheWay = taken.filter(({ address }) => addressBits(address) === bits)
  const size = 1n << BigInt(bits - length)
  const end = ipNumber(from.address) + (1n << BigInt(bits - from.length))
  let number = ipNumber(networkOf(from).address)
  while (number + size <= end) {
    const address = ipFromNumber(number, bits)
    if (address === undefined) return undefined
    const subnet = { address, length }
    const obstacle = inTheWay.find((other) => overlaps(other, subnet))
    if (obstacle === undefined) return subnet
    number = after(obstacle, size)
  }
  return undefined
}

/** The first multiple of `size` behind a subnet. */
function after(subnet: Prefix, size: bigint): bigint {
  const { address, length } = networkOf(subnet)
  const end = ipNumber(address) + (1n << BigInt(addressBits(address) - length))
  return ((end + size - 1n) / size) * size
}
