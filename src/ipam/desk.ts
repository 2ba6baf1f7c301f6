/** What the parts of this folder work with: the books, the store, the other hosts, the time. */

import type { IpAddress } from '../model/address.ts'
import type { HostId } from '../model/cluster.ts'
import type { BlockId, Pool, PoolId } from '../model/pool.ts'
import type { Prefix } from '../model/prefix.ts'
import type { Turns } from '../reconcile/turns.ts'
import type { Store } from '../store/store.ts'
import type { View } from '../store/view.ts'
import type { Book } from './book.ts'
import type { Now } from './ledger.ts'

/** What one host asks another for, when no block of a pool is free. */
export interface HelpRequest {
  readonly pool: PoolId
  /** Who asks, and gets it. */
  readonly borrower: HostId
  /** `reserve`: nobody gets it, and you will not hand it out. */
  readonly want: 'block' | 'address' | 'reserve'
  /** This one and no other. */
  readonly address?: IpAddress | undefined
  /** One that has not rested long enough is better than none. */
  readonly urgent: boolean
}

export type HelpReply =
  | { readonly kind: 'block'; readonly block: BlockId }
  | { readonly kind: 'address'; readonly address: IpAddress }
  | { readonly kind: 'reserved' }
  | { readonly kind: 'none'; readonly reason: string }

export interface HoldsReply {
  readonly held: IpAddress[]
  /** Something is under way just now: what is not held may be so soon. */
  readonly busy: boolean
}

/** The other hosts, as far as addresses are concerned. All throw when nobody answers in time. */
export interface IpamPeers {
  readonly help: (host: HostId, request: HelpRequest) => Promise<HelpReply>
  readonly holds: (
    host: HostId,
    question: {
      readonly pool: PoolId
      readonly addresses: readonly IpAddress[]
      /** What only rests is to be given back now. */
      readonly urgent: boolean
    },
  ) => Promise<HoldsReply>
  /** Takes back what was lent to a host that is gone; @returns how many addresses. */
  readonly forget: (host: HostId, gone: HostId) => Promise<number>
}

export interface Desk {
  readonly self: HostId
  /** Of this host, for people. */
  readonly nickname: string
  readonly store: Store
  readonly view: Pick<
    View,
    'hosts' | 'pools' | 'blocks' | 'holders' | 'singles' | 'isReady' | 'held'
  >
  readonly book: Book
  readonly peers: IpamPeers
  readonly turns: Turns
  /** Addresses that containers of this host have, whatever the book says. */
  readonly usedHere: (pool: Pool) => Iterable<IpAddress>
  /**
   * Whether the container of this host that has taken the address is certainly gone: Docker may have
   * died and not have told us. Forgets what is known of it then.
   */
  readonly bury: (
    pool: Pool,
    taken: { readonly address: IpAddress; readonly sinceMs: number },
  ) => Promise<boolean>
  /** Pools of the same network and family: a network may have several subnets. */
  readonly siblings: (pool: Pool) => readonly Pool[]
  /** Who has how many of a pool's addresses, in words. */
  readonly usage: (pool: Pool) => string
  readonly now: () => Now
  /** From 0 up to but not including 1. */
  readonly random: () => number
  readonly warn: (text: string) => void
  /** Where subnets are taken from when the user names none, and how large they are. */
  readonly choice: (family: 4 | 6) => { readonly from: Prefix; readonly length: number }
  /** What subnets must keep away from: routes of any host of the cluster. */
  readonly routes: () => readonly Prefix[]
  /** Loans that this host has asked for and not yet written down, as `POOL HOST`. */
  readonly borrowing: Map<string, number>
}
