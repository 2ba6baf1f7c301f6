/**
 * How fast is a name answered in a container, by us and by Docker?
 *
 * The asker's own work is in all figures alike, and the ways take turns. Whoever answers is known by the
 * TTL, so no way can be answered by another's resolver without being noticed.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { ok } from '../../test/support/lab/lab.ts'
import type { Host } from '../../test/support/lab/lab.ts'
import { figure } from '../support/report.ts'
import type { Row, Section } from '../support/report.ts'
import { lookups } from '../support/scene.ts'
import { median, rotate } from '../support/stats.ts'

interface Way {
  readonly what: string
  readonly asker: 'asker-weave' | 'asker-plain'
  readonly name: string
  /** Of its answers. */
  readonly ttl: number
  /** What it is compared with: the same question to Docker's resolver. */
  readonly like?: string
}

const ttls = { ours: 1, dockers: 600, upstreams: 60 }
const near = "the same, asked of Docker's resolver"
const unknown = "a name that nobody here knows, asked of Docker's resolver"

const ways: readonly Way[] = [
  { what: 'a container of another host', asker: 'asker-weave', name: 'far', ttl: ttls.ours },
  {
    what: 'a container of this host',
    asker: 'asker-weave',
    name: 'near',
    ttl: ttls.ours,
    like: near,
  },
  { what: near, asker: 'asker-plain', name: 'near', ttl: ttls.dockers },
  {
    what: 'a name that nobody here knows, passed on by us',
    asker: 'asker-weave',
    name: 'unknown.example',
    ttl: ttls.upstreams,
    like: unknown,
  },
  { what: unknown, asker: 'asker-plain', name: 'unknown.example', ttl: ttls.upstreams },
]

const inFlight = 50

export async function measureAnswers(
  host: Host,
  { quick }: { readonly quick: boolean },
): Promise<Omit<Section, 'title'>> {
  const [rounds, seconds] = quick ? [2, 1] : [7, 2]
  const taken = new Map(ways.map(({ what }) => [what, new Array<Asked>()]))
  await warmUp(host)
  for (let round = 0; round < rounds; round += 1) {
    for (const way of rotate(ways, round)) {
      const alone = await ask(host, way, { atOnce: 1, seconds })
      const crowd = await ask(host, way, { atOnce: inFlight, seconds })
      taken.get(way.what)?.push({ alone, crowd })
    }
  }
  const note =
    `Medians of ${rounds} rounds in which the five take turns: ${seconds} s one after the other, then ${seconds} s with ` +
    `${inFlight} in flight on one socket. By UDP; losses are questions that got no answer within 2 s.`
  return { note, rows: rowsOf(taken) }
}

interface Asked {
  readonly alone: Outcome
  readonly crowd: Outcome
}

function rowsOf(taken: ReadonlyMap<string, readonly Asked[]>): readonly Row[] {
  function samples(what: string | undefined, pick: (asked: Asked) => number): number[] {
    return (taken.get(what ?? '') ?? []).map(pick)
  }
  return ways.map(({ what, like }): Row => {
    function column(pick: (asked: Asked) => number): Row['figures'][string] {
      return figure(median(samples(what, pick)), { samples: samples(what, pick) })
    }
    const others = samples(like, rate)
    const ratios = samples(what, rate).map((value, at) => value / (others[at] ?? Number.NaN))
    const lost = samples(what, ({ alone, crowd }) => alone.lost + crowd.lost)
    return {
      what,
      figures: {
        'p50 µs': column(({ alone }) => alone.p50),
        'p99 µs': column(({ alone }) => alone.p99),
        [`per s, ${inFlight} in flight`]: column(rate),
        '… p99 µs': column(({ crowd }) => crowd.p99),
        ...(like === undefined
          ? {}
          : { "per s ÷ Docker's": figure(median(ratios), { digits: 2, samples: ratios }) }),
        lost: figure(
          lost.reduce((sum, count) => sum + count, 0),
          { samples: lost },
        ),
      },
    }
  })
}

function rate({ crowd }: Asked): number {
  return crowd.perSecond
}

const outcome = z.object({
  p50: z.number(),
  p99: z.number(),
  perSecond: z.number(),
  answered: z.number(),
  lost: z.number(),
  wrong: z.number(),
})
type Outcome = z.infer<typeof outcome>

async function ask(
  host: Host,
  { what, asker, name, ttl }: Way,
  { atOnce, seconds }: { readonly atOnce: number; readonly seconds: number },
): Promise<Outcome> {
  const words = ['ask', name, String(ttl), String(atOnce), String(seconds * 1000)]
  const said = await ok(host.docker('exec', asker, 'node', lookups, ...words))
  const found = outcome.parse(JSON.parse(said))
  if (found.wrong === 0) return found
  throw new Error(`${what}: ${found.wrong} of ${found.answered} answers are somebody else's`)
}

/** Also gives the other host's records the time to arrive. */
async function warmUp(host: Host): Promise<void> {
  await sleep(2000)
  for (const way of ways) await ask(host, way, { atOnce: inFlight, seconds: 0.5 })
}
