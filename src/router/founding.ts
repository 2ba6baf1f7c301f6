/**
 * The note in the swarm that says who founds its cluster: written once, before anything is founded.
 *
 * It names the cluster, too, so that a founder who died right after writing it, or lost its disk,
 * founds the same cluster again and not another one.
 */

import { z } from 'zod'
import type { Engine } from '../docker/engine.ts'
import { isRecord } from '../model/cluster.ts'
import { parseHostPort } from '../settings/host-port.ts'

export interface Founding {
  readonly cluster: string
  /** host:port on which the founder answers other routers. */
  readonly founder: string
  /** The founder's ID in the swarm. */
  readonly nodeId: string
}

/** What the note is called among the configs of the swarm. */
export const foundingName = 'weave-cluster'

const retractMs = 5000

const founding = z.object({
  cluster: z.string().regex(/^[0-9a-f]{32}$/),
  founder: z.string().refine((text) => parseHostPort(text).kind === 'good'),
  nodeId: z.string(),
})

export function formatFounding(note: Founding): string {
  return `${JSON.stringify(note)}\n`
}

/** Undefined when it is not a note of ours: somebody else uses the name. */
export function parseFounding(text: string): Founding | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? founding.safeParse(value).data : undefined
  } catch {
    return undefined
  }
}

/** When the founder leaves its cluster for good: another node may found one then. */
export async function retractFounding(
  cluster: string | undefined,
  engine: Pick<Engine, 'swarm'>,
): Promise<void> {
  const signal = AbortSignal.timeout(retractMs)
  const found = await engine.swarm.find(foundingName, signal)
  if (found === undefined || parseFounding(found.text)?.cluster !== cluster) return
  await engine.swarm.remove(found.id, signal)
}
