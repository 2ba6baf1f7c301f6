/**
 * What does a big cluster cost one router: time to fill the kernel's tables, memory, idle CPU?
 *
 * The router is restarted with its bridge and tunnel gone, so that it finds an empty kernel. Memory at
 * rest is read after the idle time; its peak is that of a start, a rebuild and some `weave status`.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { ok } from '../test/support/lab/lab.ts'
import type { Host } from '../test/support/lab/lab.ts'
import { createCrowd, untilTablesHold } from './support/crowd.ts'
import { atMost, figure } from './support/report.ts'
import type { Row, Section } from './support/report.ts'
import { busyPercent, memoryMib, routerPid, untilReady } from './support/router.ts'
import type { Scene } from './support/scene.ts'
import { median } from './support/stats.ts'

const sizes = [1000, 10_000]
const promised = { reconcileMs: 1000, memoryMib: 120, cpuPercent: 1 }

export async function measureRouterScale(
  { lab, host1 }: Scene,
  { quick }: { readonly quick: boolean },
): Promise<readonly Section[]> {
  const [times, idleMs] = quick ? [1, 10_000] : [5, 60_000]
  const network = await ok(host1.docker('network', 'inspect', '-f', '{{.Id}}', 'weave'))
  const crowd = createCrowd(lab, { network, host: host1 })
  const rows: Row[] = []
  for (const count of sizes) {
    await crowd.grow(count)
    rows.push(...(await measureSize(host1, { count, times, idleMs })))
  }
  await crowd.disperse()
  const note =
    `Medians of ${times}. "From start" includes Node's own start, joining and reading the store; "while running", only ` +
    `noticing that bridge and tunnel are gone and making both again with all entries. CPU over ${idleMs / 1000} s.`
  return [{ title: 'The router in a big cluster', note, rows: mergeRows(rows) }]
}

/** One row per question, one column per size. */
function mergeRows(rows: readonly Row[]): readonly Row[] {
  const merged = new Map<string, Row>()
  for (const row of rows) {
    const before = merged.get(row.what)
    merged.set(row.what, { ...row, figures: { ...before?.figures, ...row.figures } })
  }
  return [...merged.values()]
}

interface Size {
  readonly count: number
  readonly times: number
  readonly idleMs: number
}

async function measureSize(host: Host, { count, times, idleMs }: Size): Promise<readonly Row[]> {
  const fromStart: number[] = []
  const running: number[] = []
  for (let time = 0; time < times; time += 1) {
    fromStart.push(await restart(host, count))
    running.push(await rebuild(host, count))
  }
  await untilReady(host)
  const pid = await routerPid(host)
  await sleep(5000)
  const cpu = await busyPercent(host, { pid, idleMs })
  const memory = await memoryMib(host, pid)
  const column = `${count.toLocaleString('en-US')} endpoints`
  const isBig = count === Math.max(...sizes)
  function row(what: string, value: number, options: RowOptions): Row {
    const { limit, unit, digits = 0, samples } = options
    const promise = limit !== undefined && isBig ? { promise: atMost(value, { limit, unit }) } : {}
    const figures = { [column]: figure(value, { digits, unit, ...(samples && { samples }) }) }
    return { what, figures, ...promise }
  }
  return [
    row('tables complete, from start', median(fromStart), { unit: 'ms', samples: fromStart }),
    row('tables complete, while running', median(running), {
      unit: 'ms',
      limit: promised.reconcileMs,
      samples: running,
    }),
    row('memory (RSS) at rest', memory.now, { unit: 'MiB', limit: promised.memoryMib }),
    row('memory (RSS) at its peak', memory.peak, { unit: 'MiB' }),
    row('CPU while idle', cpu, { unit: '%', digits: 1, limit: promised.cpuPercent }),
  ]
}

interface RowOptions {
  readonly unit: string
  readonly digits?: number
  readonly limit?: number
  readonly samples?: readonly number[]
}

/** Stops the router, removes what it made, starts it again; milliseconds until all is back. */
async function restart(host: Host, count: number): Promise<number> {
  await ok(host.weave('stop'))
  await removeLinks(host)
  const start = Date.now()
  await host.start('weave-router', ['weave', 'router'])
  const took = (await untilTablesHold(host, { count })) - start
  await untilReady(host)
  return took
}

async function rebuild(host: Host, count: number): Promise<number> {
  const start = await removeLinks(host)
  return (await untilTablesHold(host, { count })) - start
}

/** Resolves with the moment of the first removal: a running router begins anew right then. */
async function removeLinks(host: Host): Promise<number> {
  const list = `ip -o link | sed -n 's/^[0-9]*: \\(wv[bx][0-9a-f]*\\).*/\\1/p'`
  const remove = `links=$(${list}); date +%s%3N; for link in $links; do ip link delete "$link"; done`
  return Number(await ok(host.run(remove)))
}
