/** What do names cost a container's start, and a router that answers many containers which ask nothing? */

import { setTimeout as sleep } from 'node:timers/promises'
import { readStatus } from '../../test/support/cluster.ts'
import { ok } from '../../test/support/lab/lab.ts'
import type { Host } from '../../test/support/lab/lab.ts'
import { timeStarts } from '../docker-run.ts'
import { figure } from '../support/report.ts'
import type { Row, Section } from '../support/report.ts'
import { busyPercent, memoryMib, routerPid } from '../support/router.ts'
import { median } from '../support/stats.ts'

const containers = 50
const startMs = 5 * 60_000
const settleMs = 5000

/** Two hosts that are alike otherwise. */
export async function measureCosts(
  named: Host,
  nameless: Host,
  { quick }: { readonly quick: boolean },
): Promise<Omit<Section, 'title'>> {
  const [rounds, idleMs] = quick ? [5, 10_000] : [21, 60_000]
  const hosts = [named, nameless]
  const note =
    `A host with names beside one launched with --no-dns. Starts: medians of ${rounds} rounds in which the two take turns, ` +
    `the ratio within each round first. CPU of one core over ${idleMs / 1000} s in which nobody asks.`
  const starts = await measureStarts(hosts, rounds)
  await Promise.all(hosts.map(fill))
  await sleep(settleMs)
  await expectAnswered(named, (count) => count >= containers)
  await expectAnswered(nameless, (count) => count === 0)
  const routers = await Promise.all(hosts.map((host) => measureIdle(host, idleMs)))
  return { note, rows: [starts, ...idleRows(routers)] }
}

async function measureStarts(hosts: readonly Host[], rounds: number): Promise<Row> {
  const starts = hosts.map((host) => ({ name: host.name, host, network: 'weave' }))
  const [named = [], nameless = []] = (await timeStarts(starts, rounds)).map(({ ms }) => ms)
  const ratios = named.map((ms, at) => ms / (nameless[at] ?? Number.NaN))
  return {
    what: 'docker run --rm --net=weave busybox true, ms',
    figures: {
      names: figure(median(named), { samples: named }),
      '--no-dns': figure(median(nameless), { samples: nameless }),
      'names ÷ --no-dns': figure(median(ratios), { digits: 2, samples: ratios }),
    },
  }
}

async function fill(host: Host): Promise<void> {
  const run = 'docker run -d --net=weave busybox sleep 100000'
  const script = `for _ in $(seq ${containers}); do ${run} || exit 1; done`
  await ok(host.run(script, { deadlineMs: startMs }))
}

/** That the two differ in what is measured. */
async function expectAnswered(host: Host, isRight: (containers: number) => boolean): Promise<void> {
  const { dns } = await readStatus(host)
  if (isRight(dns.containers)) return
  throw new Error(`${host.name} answers ${dns.containers} containers`)
}

interface Idle {
  readonly cpu: number
  readonly memory: number
}

async function measureIdle(host: Host, idleMs: number): Promise<Idle> {
  const pid = await routerPid(host)
  const cpu = await busyPercent(host, { pid, idleMs })
  return { cpu, memory: (await memoryMib(host, pid)).now }
}

function idleRows(routers: readonly Idle[]): readonly Row[] {
  const [named, nameless] = routers
  function row(what: string, pick: (idle: Idle) => number, digits: number): Row {
    const [mine, others] = [named, nameless].map((idle) => (idle ? pick(idle) : Number.NaN))
    return {
      what,
      figures: {
        names: figure(mine ?? Number.NaN, { digits }),
        '--no-dns': figure(others ?? Number.NaN, { digits }),
      },
    }
  }
  return [
    row(`CPU of the router, ${containers} idle containers, %`, ({ cpu }) => cpu, 1),
    row(`memory of the router, ${containers} containers, MiB`, ({ memory }) => memory, 0),
  ]
}
