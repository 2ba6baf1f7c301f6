/**
 * How fast do packets travel between two hosts: bare, in our network, and in Docker's own overlay?
 *
 * The trap is the computer: two noisy cores serve both ends. So the three ways take turns within each
 * round, in another order each time, and a ratio is taken within its round before the median is.
 */

import { z } from 'zod'
import { atLeast, atMost, figure } from './support/report.ts'
import type { Row, Section, Verdict } from './support/report.ts'
import { talk } from './support/scene.ts'
import type { Scene, Way } from './support/scene.ts'
import { median, rotate } from './support/stats.ts'

interface Measurement {
  readonly what: string
  readonly digits: number
  readonly measure: (way: Way, seconds: number) => Promise<Readonly<Record<string, number>>>
  /** Names of what `measure` returns, each with its promise. */
  readonly values: Readonly<Record<string, (ratio: number) => Verdict | undefined>>
}

const talkPort = 7007

export async function measureTraffic(
  { ways }: Scene,
  { quick }: { readonly quick: boolean },
): Promise<readonly Section[]> {
  const rounds = quick ? 2 : 7
  const seconds = quick ? 1 : 2
  for (const way of ways) {
    await way.startFar(['iperf3', '-s'])
    await way.startFar(['node', talk, 'serve', String(talkPort)])
  }
  const rows: Row[] = []
  for (const measurement of measurements) {
    const taken: Taken[] = []
    for (let round = 0; round < rounds; round += 1) {
      const results = new Map<string, Readonly<Record<string, number>>>()
      for (const way of rotate(ways, round)) {
        results.set(way.name, await measurement.measure(way, seconds))
      }
      taken.push(results)
    }
    rows.push(...rowsOf(measurement, taken))
  }
  const note = `Medians of ${rounds} rounds of ${seconds} s each; in each round the three ways take turns.`
  return [{ title: 'From one host to the other', note, rows }]
}

type Taken = ReadonlyMap<string, Readonly<Record<string, number>>>

function rowsOf({ what, digits, values }: Measurement, rounds: readonly Taken[]): Row[] {
  return Object.entries(values).map(([value, promise]) => {
    function samples(way: string): number[] {
      return rounds.map((round) => round.get(way)?.[value] ?? Number.NaN)
    }
    function ratios(way: string): number[] {
      const host = samples('host')
      return samples(way).map((sample, at) => sample / (host[at] ?? Number.NaN))
    }
    function absolute(way: string): Row['figures'][string] {
      return figure(median(samples(way)), { digits, samples: samples(way) })
    }
    function relative(way: string): Row['figures'][string] {
      return figure(median(ratios(way)), { digits: 2, samples: ratios(way) })
    }
    const verdict = promise(median(ratios('weave')))
    return {
      what: `${what}${value}`,
      figures: {
        'host to host': absolute('host'),
        weave: absolute('weave'),
        overlay: absolute('overlay'),
        'weave ÷ host': relative('weave'),
        'overlay ÷ host': relative('overlay'),
      },
      ...(verdict === undefined ? {} : { promise: verdict }),
    }
  })
}

const measurements: readonly Measurement[] = [
  tcp(1, 'TCP, 1 stream'),
  tcp(8, 'TCP, 8 streams'),
  {
    what: 'UDP, 64 bytes, ',
    digits: 0,
    values: { 'packets/s received': () => undefined },
    measure: async (way, seconds) => ({ 'packets/s received': await smallPackets(way, seconds) }),
  },
  {
    what: 'TCP request and response, ',
    digits: 0,
    values: {
      'p50 µs': (ratio) => atMost(ratio, { limit: 1.2 }),
      'p99 µs': () => undefined,
    },
    async measure(way, seconds) {
      const { p50, p99 } = roundTrips.parse(await converse(way, { what: 'ask', seconds }))
      return { 'p50 µs': p50, 'p99 µs': p99 }
    },
  },
  {
    what: 'TCP connections, ',
    digits: 0,
    values: { 'each with one request, per s': () => undefined },
    async measure(way, seconds) {
      const { perSecond } = connections.parse(await converse(way, { what: 'connect', seconds }))
      return { 'each with one request, per s': perSecond }
    },
  },
]

function tcp(streams: number, what: string): Measurement {
  return {
    what: `${what}, `,
    digits: 1,
    values: { 'Gbit/s': (ratio) => atLeast(ratio, 0.9) },
    async measure(way, seconds) {
      const { end } = iperfTcp.parse(await iperf(way, { seconds, flags: ['-P', String(streams)] }))
      return { 'Gbit/s': end.sum_received.bits_per_second / 1e9 }
    },
  }
}

async function smallPackets(way: Way, seconds: number): Promise<number> {
  const { end } = iperfUdp.parse(await iperf(way, { seconds, flags: ['-u', '-b0', '-l64'] }))
  return (end.sum.packets - end.sum.lost_packets) / end.sum.seconds
}

async function iperf(
  { near, target }: Way,
  { seconds, flags }: { readonly seconds: number; readonly flags: readonly string[] },
): Promise<unknown> {
  return JSON.parse(await near(['iperf3', '-J', '-c', target, '-t', String(seconds), ...flags]))
}

async function converse(
  { near, target }: Way,
  { what, seconds }: { readonly what: 'ask' | 'connect'; readonly seconds: number },
): Promise<unknown> {
  const ms = String(seconds * 1000)
  return JSON.parse(await near(['node', talk, what, target, String(talkPort), ms]))
}

const iperfTcp = z.object({
  end: z.object({ sum_received: z.object({ bits_per_second: z.number() }) }),
})
const iperfUdp = z.object({
  end: z.object({
    sum: z.object({ packets: z.number(), lost_packets: z.number(), seconds: z.number() }),
  }),
})
const roundTrips = z.object({ p50: z.number(), p99: z.number() })
const connections = z.object({ perSecond: z.number() })
