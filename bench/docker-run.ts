/** What does our network add to the start of a container, beside Docker's own networks? */

import { ok } from '../test/support/lab/lab.ts'
import type { Host } from '../test/support/lab/lab.ts'
import { atMost, figure } from './support/report.ts'
import type { Row, Section } from './support/report.ts'
import type { Scene } from './support/scene.ts'
import { median, rotate } from './support/stats.ts'

const networks = ['bridge', 'overlay', 'weave'] as const
const promisedRatio = 1.05

export async function measureDockerRun(
  { host1 }: Scene,
  { quick }: { readonly quick: boolean },
): Promise<readonly Section[]> {
  return [await measureStarts(host1, { rounds: quick ? 3 : 21, on: 'Docker 20.10' })]
}

/** The networks `overlay` and `weave` must be there. */
export async function measureStarts(
  host: Host,
  { rounds, on }: { readonly rounds: number; readonly on: string },
): Promise<Section> {
  const taken = await timeStarts(
    networks.map((name) => ({ name, host, network: name })),
    rounds,
  )
  const bridge = taken[0]?.ms ?? []
  const rows = taken.map(({ name, ms }): Row => {
    const ratios = ms.map((value, at) => value / (bridge[at] ?? Number.NaN))
    const ratio = median(ratios)
    return {
      what: `docker run --rm --net=${name} busybox true`,
      figures: {
        'median ms': figure(median(ms), { samples: ms }),
        '÷ bridge': figure(ratio, { digits: 2, samples: ratios }),
      },
      ...(name === 'weave' ? { promise: atMost(ratio, { limit: promisedRatio }) } : {}),
    }
  })
  const note = `${rounds} rounds in which the three take turns. Overlay and weave also get Docker's docker_gwbridge, a second interface.`
  return { title: `Starting and removing a container, ${on}`, note, rows }
}

export interface Start {
  readonly name: string
  readonly host: Host
  readonly network: string
}

/** How long each takes, in rounds in which they take turns. */
export async function timeStarts(
  starts: readonly Start[],
  rounds: number,
): Promise<readonly { readonly name: string; readonly ms: readonly number[] }[]> {
  const taken = starts.map((start) => ({ ...start, ms: new Array<number>() }))
  for (let round = 0; round < rounds; round += 1) {
    for (const { host, network, ms } of rotate(taken, round)) {
      const start = performance.now()
      await ok(host.docker('run', '--rm', `--net=${network}`, 'busybox', 'true'))
      ms.push(performance.now() - start)
    }
  }
  return taken
}
