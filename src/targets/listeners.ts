/**
 * Keeps the resolver's sockets in the host's own network namespace: where this host's programs ask, and
 * where containers ask that were started with `weave dns-args`.
 *
 * An address may not be there yet (Docker's bridge, before Docker) or have its port taken; it is tried
 * again, and the target says what is wrong meanwhile.
 */

import type { Counters } from '../dns/respond.ts'
import type { DnsServer } from '../dns/server.ts'
import { dnsListenFailed } from '../model/faults.ts'
import { oneByOne } from '../reconcile/reconcile.ts'
import type { Target } from '../reconcile/reconcile.ts'

/** The address of each kind of listener that there should be. */
export type Places = ReadonlyMap<ListenerKind, string>
export type ListenerKind = 'host' | 'bridge'

export interface ListenerStep {
  readonly kind: 'open' | 'close'
  readonly listener: ListenerKind
  readonly address: string
}

export interface Listeners extends AsyncDisposable {
  readonly target: Target<Places, Places, ListenerStep>
  /** Those that are open. */
  readonly places: () => Places
  readonly counters: () => readonly Counters[]
}

export interface ListenersSources {
  readonly desired: () => Places
  readonly open: (listener: ListenerKind, address: string) => Promise<DnsServer>
}

export function createListeners({ desired, open }: ListenersSources): Listeners {
  const servers = new Map<ListenerKind, { readonly address: string; readonly server: DnsServer }>()
  function places(): Places {
    return new Map([...servers].map(([listener, { address }]) => [listener, address]))
  }

  async function take({ kind, listener, address }: ListenerStep): Promise<void> {
    if (kind === 'close') {
      const found = servers.get(listener)
      servers.delete(listener)
      await found?.server[Symbol.asyncDispose]()
      return
    }
    try {
      servers.set(listener, { address, server: await open(listener, address) })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw dnsListenFailed(address, reason).causedBy(error)
    }
  }

  return {
    target: {
      name: 'listeners',
      desired: async () => desired(),
      observe: async () => places(),
      plan: planListeners,
      apply: oneByOne(take),
    },
    places,
    counters: () => [...servers.values()].map(({ server }) => server.counters()),
    async [Symbol.asyncDispose]() {
      const all = [...servers.values()]
      servers.clear()
      await Promise.allSettled(all.map(({ server }) => server[Symbol.asyncDispose]()))
    },
  }
}

/** One that is to move is closed first. */
export function planListeners(desired: Places, actual: Places): readonly ListenerStep[] {
  const closing = [...actual].flatMap(([listener, address]): ListenerStep[] =>
    desired.get(listener) === address ? [] : [{ kind: 'close', listener, address }],
  )
  const opening = [...desired].flatMap(([listener, address]): ListenerStep[] =>
    actual.has(listener) ? [] : [{ kind: 'open', listener, address }],
  )
  return [...closing, ...opening]
}
