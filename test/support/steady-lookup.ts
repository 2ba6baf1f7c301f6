/** A program in a container that looks a name up over and over, watched while something else happens. */

import { ok } from './lab/lab.ts'
import type { Asker } from './lookup.ts'

export interface Lookups {
  /** What each was told, in order: an address, or empty when there was none. */
  readonly answers: readonly string[]
  /** How long the longest took; for reports, never for a verdict. */
  readonly longestMs: number
}

const log = '/tmp/lookups'
const stop = '/tmp/stop-lookups'
/** Before and after the work. */
const marginMs = 500
const ticksMs = 10

/** By musl's resolver, which gives up after two attempts of 2.5 s. Goes on while the engine is away. */
export async function lookUpWhile(
  { host, container }: Asker,
  name: string,
  work: () => Promise<unknown>,
): Promise<Lookups> {
  const time = "tr -d . </proc/uptime | cut -d ' ' -f 1"
  const once = `a=$(resolve ${name} 2>/dev/null); echo "$t $(${time}) $a" >>${log}; usleep 50000`
  const loop = `rm -f ${stop} ${log}; while t=$(${time}); [ ! -e ${stop} ]; do ${once}; done; touch ${log}.done`
  await ok(host.docker('exec', '-d', container, 'sh', '-c', loop))
  await sleep(marginMs)
  try {
    await work()
    await sleep(marginMs)
  } finally {
    await ok(host.docker('exec', container, 'touch', stop))
  }
  const whole = `while [ ! -e ${log}.done ]; do usleep 20000; done; rm ${log}.done; cat ${log}`
  const lines = (await ok(host.docker('exec', container, 'sh', '-c', whole))).split('\n')
  const seen = lines.map((line) => line.split(' '))
  const tookMs = seen.map(([from, to]) => (Number(to) - Number(from)) * ticksMs)
  return { answers: seen.map(([, , answer = '']) => answer), longestMs: Math.max(...tookMs) }
}

export function countDistinct(answers: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1
  return counts
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
