/** Puts together what this router has for names: who is called what, and who is told. */

import type { Engine } from '../docker/engine.ts'
import { findSandbox, ownerOf } from '../docker/sandbox.ts'
import type { HostId } from '../model/cluster.ts'
import type { NameQuestion, Resolution } from '../naming/resolve.ts'
import type { Turns } from '../reconcile/turns.ts'
import type { Dns } from '../settings/dns.ts'
import type { View } from '../store/view.ts'
import { createListings } from './directory.ts'
import { createEndpointNames } from './endpoint-names.ts'
import type { EndpointNames } from './endpoint-names.ts'
import type { Facts } from './facts.ts'
import { createRoster } from './roster.ts'

export interface Names {
  readonly nameOf: EndpointNames['of']
  /** What this host itself may know, of all networks: addresses of a name, or names of an address. */
  readonly lookup: (question: NameQuestion) => Resolution
  /** Follows the engine until the signal aborts. */
  readonly follow: (signal: AbortSignal) => Promise<void>
}

export interface NamesSources {
  readonly self: HostId
  readonly facts: Facts
  readonly view: View
  readonly turns: Turns
  readonly engine: Engine
  readonly dns: Dns
  /** Something that this host knows by itself has changed. */
  readonly onChange: () => void
}

export function createNames(sources: NamesSources): Names {
  const { facts, turns, engine, dns, onChange } = sources
  const listings = createListings({ ...sources, domain: dns.domain })
  const roster = createRoster({ engine, onChange: refresh })
  const names = createEndpointNames({
    facts,
    turns,
    roster,
    domain: dns.domain,
    async ownerOf(sandbox) {
      const file = await findSandbox(sandbox)
      return file === undefined ? undefined : ownerOf(file)
    },
    onChange,
  })

  let refreshing: Promise<void> | undefined
  let again = false
  /** One at a time. Whatever the disk refuses now is tried again with the next news. */
  function refresh(): void {
    again = true
    refreshing ??= refreshUntilDone().finally(() => (refreshing = undefined))
  }
  async function refreshUntilDone(): Promise<void> {
    while (again) {
      again = false
      await names.refresh().catch(() => {})
    }
  }

  return { nameOf: names.of, lookup: listings.answerHost, follow: roster.follow }
}
