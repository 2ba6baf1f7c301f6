/**
 * What a plugin must still know after a restart, in one small file per driver.
 *
 *   scope      the last decision, for a start at which nobody can be asked
 *   networks   local scope: Docker's ID of a network → the cluster's; Docker tells it only once
 *   doomed     networks that Docker has removed while the router was away
 *
 * The file is written before a call is answered. One that cannot be understood is set aside.
 */

import path from 'node:path'
import { z } from 'zod'
import { readIfPresent, setAside, writeDurably } from '../disk/file.ts'
import type { Scope } from '../docker/remote-driver.ts'
import { isNetworkId } from '../model/cluster.ts'
import type { NetworkId } from '../model/cluster.ts'

export interface Recollection {
  readonly scope?: Scope | undefined
  /** The cluster's ID by Docker's ID. */
  readonly networks: Readonly<Record<string, NetworkId>>
  readonly doomed: readonly NetworkId[]
}

export interface Memory {
  readonly file: string
  readonly now: () => Recollection
  /**
   * Networks, by Docker's ID, that were forgotten in the last minute. Docker shows one for a moment longer than it
   * has told us that it removes it.
   */
  readonly forgotten: () => ReadonlySet<string>
  /** Resolves when it is on the disk; changes are made one after the other. */
  readonly change: (change: (now: Recollection) => Recollection) => Promise<void>
}

export interface MemoryOptions {
  readonly file: string
  readonly asideDir: string
  readonly onSetAside: (problem: string) => void
  /** A clock that never goes back. */
  readonly nowMs?: () => number
}

const networkId = z.custom<NetworkId>(isNetworkId, 'not a network ID')

const recollection = z.strictObject({
  scope: z.enum(['global', 'local']).optional(),
  networks: z.record(networkId, networkId),
  doomed: z.array(networkId),
})

const nothing: Recollection = { networks: {}, doomed: [] }
/** Far longer than Docker takes to remove a network, whose drivers may take half a minute each. */
const freshMs = 60_000

export async function openMemory(options: MemoryOptions): Promise<Memory> {
  const { file, asideDir, onSetAside, nowMs = () => performance.now() } = options
  let now = nothing
  const text = await readIfPresent(file)
  if (text !== undefined) {
    const parsed = recollection.safeParse(parseJson(text))
    if (parsed.success) now = parsed.data
    else
      onSetAside(
        `${path.basename(file)} was not understood; it is now ${await setAside(file, asideDir)}`,
      )
  }
  const forgotten = createFresh(nowMs)
  let last = Promise.resolve()
  async function write(change: (now: Recollection) => Recollection): Promise<void> {
    const next = change(now)
    if (JSON.stringify(next) === JSON.stringify(now)) return
    await writeDurably(file, `${JSON.stringify(next)}\n`)
    forgotten.note(Object.keys(now.networks).filter((id) => next.networks[id] === undefined))
    now = next
  }
  return {
    file,
    now: () => now,
    forgotten: forgotten.all,
    change(change) {
      const written = last.then(() => write(change))
      last = written.catch(() => {})
      return written
    },
  }
}

function createFresh(nowMs: () => number): {
  readonly note: (ids: readonly string[]) => void
  readonly all: () => ReadonlySet<string>
} {
  const since = new Map<string, number>()
  return {
    note(ids) {
      for (const id of ids) since.set(id, nowMs())
    },
    all() {
      for (const [id, at] of since) if (nowMs() - at > freshMs) since.delete(id)
      return new Set(since.keys())
    },
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
