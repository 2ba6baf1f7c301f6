/**
 * How long does a container's start wait for us, alone and in a crowd?
 *
 * CreateEndpoint and Join are what a start waits for, Leave and DeleteEndpoint what an end waits for.
 * Measured from the plugin's socket: plugin, router, disk, kernel and store are all in it.
 */

import { ok } from '../test/support/lab/lab.ts'
import { createCaller } from './support/calls.ts'
import type { Caller, Endpoint } from './support/calls.ts'
import { createCrowd } from './support/crowd.ts'
import { atMost, figure } from './support/report.ts'
import type { Figure, Row, Section } from './support/report.ts'
import type { Scene } from './support/scene.ts'
import { quantile } from './support/stats.ts'

const crowds = [0, 5000]
const burstSize = 50
const promisedMs = 20

export async function measurePluginCalls(
  { lab, host1 }: Scene,
  { quick }: { readonly quick: boolean },
): Promise<readonly Section[]> {
  const network = await ok(host1.docker('network', 'inspect', '-f', '{{.Id}}', 'weave'))
  const crowd = createCrowd(lab, { network, host: host1 })
  using caller = createCaller(host1, network)
  const [singles, bursts] = quick ? [20, 2] : [100, 8]
  await live(caller, { atOnce: 1, times: 10 })
  const rows: Row[] = []
  for (const count of crowds) {
    await crowd.grow(count)
    const alone = await live(caller, { atOnce: 1, times: singles })
    const together = await live(caller, { atOnce: burstSize, times: bursts })
    rows.push(...rowsOf({ alone, together }, count))
  }
  await crowd.disperse()
  const note =
    `Milliseconds at the plugin's socket, with the real router, disk, kernel and store behind it: ` +
    `${singles} containers one by one, then ${bursts} bursts of ${burstSize} at once.`
  return [{ title: 'What Docker waits for, ms', note, rows }]
}

/** Containers that come and go; each burst starts together, and ends together later. */
async function live(
  caller: Caller,
  { atOnce, times }: { readonly atOnce: number; readonly times: number },
): Promise<readonly Endpoint[]> {
  const lived: Endpoint[] = []
  for (let time = 0; time < times; time += 1) {
    const burst = Array.from({ length: atOnce }, caller.next)
    await Promise.all(
      burst.map(async (endpoint) => {
        await endpoint.create()
        await endpoint.join()
      }),
    )
    await Promise.all(
      burst.map(async (endpoint) => {
        await endpoint.leave()
        await endpoint.remove()
      }),
    )
    lived.push(...burst)
  }
  return lived
}

interface Lived {
  readonly alone: readonly Endpoint[]
  readonly together: readonly Endpoint[]
}

const stages: readonly (readonly string[])[] = [
  ['CreateEndpoint'],
  ['Join'],
  ['CreateEndpoint', 'Join'],
  ['Leave', 'DeleteEndpoint'],
]

function rowsOf(lived: Lived, crowd: number): readonly Row[] {
  return stages.map((methods) => {
    const alone = lived.alone.map((endpoint) => sum(endpoint, methods))
    const together = lived.together.map((endpoint) => sum(endpoint, methods))
    const isPromised = crowd > 0 && methods.join() === 'CreateEndpoint,Join'
    const verdict = atMost(quantile(together, 0.99), { limit: promisedMs, unit: 'ms' })
    return {
      what: `${methods.join(' + ')}, ${crowd.toLocaleString('en-US')} endpoints elsewhere`,
      figures: {
        'alone p50': milliseconds(alone, 0.5),
        'alone p99': milliseconds(alone, 0.99),
        [`${burstSize} at once p50`]: milliseconds(together, 0.5),
        [`${burstSize} at once p99`]: milliseconds(together, 0.99),
      },
      ...(isPromised ? { promise: verdict } : {}),
    }
  })
}

function sum({ ms }: Endpoint, methods: readonly string[]): number {
  return methods.reduce((total, method) => total + (ms.get(method) ?? Number.NaN), 0)
}

function milliseconds(samples: readonly number[], q: number): Figure {
  return figure(quantile(samples, q), { digits: 1, samples })
}
