/**
 * Keeps what the plugin remembers of Docker's networks in step with what the engine has; local scope.
 *
 * Docker tells us once that it has made a network, and once that it has removed it: not when we were
 * away, and not again when our file was lost. So the two are compared when the plugin starts, when
 * there is doubt, and now and then.
 *
 * The trap is a network that is just being made: we know it before the engine lists it. One counts as
 * removed only when it is missing in two looks, some seconds apart. And one that is just being removed: the
 * engine lists it until our answer to that is there. One that we forgot a moment ago is not learned.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { EngineNetwork } from '../docker/engine-messages.ts'
import type { Engine } from '../docker/engine.ts'
import type { NetworkId } from '../model/cluster.ts'
import { segmentOf } from '../model/definition.ts'
import type { Wakeup } from '../reconcile/wakeup.ts'
import type { Memory, Recollection } from './memory.ts'

export interface EngineLook {
  readonly memory: Memory
  readonly engine: Pick<Engine, 'networks'>
  readonly driverName: string
  /** Rung when there is doubt. */
  readonly bell: Wakeup
  /** Networks are doomed now. */
  readonly bury: () => Promise<void>
  readonly onChanged: (change: Compared) => void
}

export interface Compared {
  /** Docker's IDs of networks that it has and we did not remember. */
  readonly learned: Readonly<Record<string, NetworkId>>
  /** Docker's IDs of networks that were missing before, too. */
  readonly vanished: readonly string[]
  /** Missing for the first time. */
  readonly suspects: ReadonlySet<string>
}

const confirmMs = 5000
const lookMs = 30_000

/** Goes on until the signal aborts; never throws. */
export async function lookAtEngine(look: EngineLook, signal: AbortSignal): Promise<void> {
  let suspects: ReadonlySet<string> = new Set()
  while (!signal.aborted) {
    // A look that fails is no look, and what was seen before it may have changed.
    suspects = await lookOnce(look, suspects, signal).catch(() => new Set<string>())
    // A ring does not shorten the time that a suspect has.
    if (suspects.size > 0) await sleep(confirmMs, undefined, { signal }).catch(() => {})
    else await look.bell.wait(lookMs, signal)
  }
}

async function lookOnce(
  { memory, engine, driverName, bury, onChanged }: EngineLook,
  before: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  // What we remember first: what is made in between is then not seen at all.
  const remembered = memory.now().networks
  const networks = await engine.networks({ signal })
  const forgotten = memory.forgotten()
  const compared = compareNetworks({ remembered, forgotten, networks, driverName, before })
  const { learned, vanished, suspects } = compared
  if (Object.keys(learned).length === 0 && vanished.length === 0) return suspects
  await memory.change((now) => apply(now, compared))
  onChanged(compared)
  await bury().catch(() => {})
  return suspects
}

export function compareNetworks({
  remembered,
  forgotten,
  networks,
  driverName,
  before,
}: {
  readonly remembered: Recollection['networks']
  readonly forgotten: ReadonlySet<string>
  readonly networks: readonly EngineNetwork[]
  readonly driverName: string
  readonly before: ReadonlySet<string>
}): Compared {
  const ids = new Set(networks.map(({ id }) => id))
  const missing = Object.keys(remembered).filter((id) => !ids.has(id))
  const learned = networks
    .filter(({ id, driver, scope }) => {
      const isKnown = remembered[id] !== undefined || forgotten.has(id)
      return driver === driverName && scope === 'local' && !isKnown
    })
    .flatMap(({ id, settings }) => {
      const segment = segmentOf(settings)
      return segment === undefined ? [] : [[id, segment] as const]
    })
  return {
    learned: Object.fromEntries(learned),
    vanished: missing.filter((id) => before.has(id)),
    suspects: new Set(missing.filter((id) => !before.has(id))),
  }
}

function apply(now: Recollection, { learned, vanished }: Compared): Recollection {
  const gone = new Set(vanished)
  const left = Object.entries(now.networks).filter(([id]) => !gone.has(id))
  const networks = { ...learned, ...Object.fromEntries(left) }
  const used = new Set(Object.values(networks))
  const doomed = vanished.flatMap((id) => now.networks[id] ?? []).filter((id) => !used.has(id))
  return { ...now, networks, doomed: [...new Set([...now.doomed, ...doomed])] }
}
