/** Puts together what this router has for names: who is called what, and who is told. */

import type { Engine } from '../docker/engine.ts'
import { findSandbox, ownerOf } from '../docker/sandbox.ts'
import type { Turns } from '../reconcile/turns.ts'
import type { Dns } from '../settings/dns.ts'
import { createEndpointNames } from './endpoint-names.ts'
import type { EndpointNames } from './endpoint-names.ts'
import type { Facts } from './facts.ts'
import { createRoster } from './roster.ts'

export interface Names {
  readonly nameOf: EndpointNames['of']
  /** Follows the engine until the signal aborts. */
  readonly follow: (signal: AbortSignal) => Promise<void>
}

export interface NamesSources {
  readonly facts: Facts
  readonly turns: Turns
  readonly engine: Engine
  readonly dns: Dns
  /** Something that this host knows by itself has changed. */
  readonly onChange: () => void
}

export function createNames({ facts, turns, engine, dns, onChange }: NamesSources): Names {
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

  return { nameOf: names.of, follow: roster.follow }
}
