/**
 * On the engines of today, which have no cluster store: how soon is a network everywhere, how many
 * addresses are given in a second, and what does a container's start cost?
 *
 * Labs of their own, one after the other. Docker's overlay needs a swarm there; one is made on the
 * first host, after everything else was measured.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { createDockerdClient } from '../test/support/dockerd-client.ts'
import type { EngineName } from '../test/support/lab/engine.ts'
import { ok } from '../test/support/lab/lab.ts'
import type { Host, Lab } from '../test/support/lab/lab.ts'
import { measureStarts } from './docker-run.ts'
import { askEngine } from './support/engine.ts'
import { createLocalLab, enginesOfToday } from './support/launch.ts'
import { atMost, figure } from './support/report.ts'
import type { Row, Section } from './support/report.ts'
import { quantile } from './support/stats.ts'

const promisedSpreadMs = 1000
const atOnce = 50
const lookMs = 2

export async function measureToday(
  options: { readonly quick: boolean },
  prefix: string | undefined,
): Promise<readonly Section[]> {
  const sections: Section[] = []
  for (const engine of enginesOfToday)
    sections.push(...(await measureEngine(engine, options, prefix)))
  return sections
}

async function measureEngine(
  engine: EngineName,
  { quick }: { readonly quick: boolean },
  prefix: string | undefined,
): Promise<readonly Section[]> {
  await using lab = await createLocalLab({ engine, prefix })
  const host1 = lab.host(1)
  const rows = [
    ...(await measureSpread(lab, quick ? 5 : 30)),
    ...(await measureAddresses(host1, quick ? 200 : 2000)),
  ]
  await ok(host1.docker(...createWith('weave'), 'weave'))
  await ok(host1.docker('swarm', 'init', `--advertise-addr=${host1.ip}`))
  await ok(host1.docker('network', 'create', '--driver=overlay', '--attachable', 'overlay'))
  const note = `Networks: ${quick ? 5 : 30} made on host 1 and looked for on host 2's engine every ${lookMs} ms. Addresses: asked for on the plugin's socket, as dockerd does, each on the disk before it is given.`
  return [
    { title: `Networks and addresses, Docker ${engine}`, note, rows },
    await measureStarts(host1, { rounds: quick ? 3 : 21, on: `Docker ${engine}` }),
  ]
}

async function measureSpread(lab: Lab, times: number): Promise<readonly Row[]> {
  const [host1, host2] = [lab.host(1), lab.host(2)]
  const appears: number[] = []
  const goes: number[] = []
  for (let time = 0; time < times; time += 1) {
    const name = `spread${time}`
    await ok(host1.docker(...createWith('weave'), name))
    appears.push(await awaitNetwork(host2, name, 200))
    await ok(host1.docker('network', 'rm', name))
    goes.push(await awaitNetwork(host2, name, 404))
  }
  return [
    spreadRow('a network made on host 1 is on host 2, ms', appears),
    spreadRow('a network removed on host 1 is gone from host 2, ms', goes),
  ]
}

function spreadRow(what: string, samples: readonly number[]): Row {
  const p99 = quantile(samples, 0.99)
  return {
    what,
    figures: { p50: figure(quantile(samples, 0.5), { samples }), p99: figure(p99) },
    promise: atMost(p99, { limit: promisedSpreadMs, unit: 'ms' }),
  }
}

/** From now on, on the second host's engine itself. */
async function awaitNetwork(host: Host, name: string, status: number): Promise<number> {
  const start = performance.now()
  while ((await askEngine(host, `/networks/${name}`)).status !== status) {
    if (performance.now() - start > 30_000) throw new Error(`${name} is not spread`)
    await sleep(lookMs)
  }
  return performance.now() - start
}

async function measureAddresses(host: Host, count: number): Promise<readonly Row[]> {
  using dockerd = createDockerdClient(host.path('/run/docker/plugins/weave.sock'))
  const pool = await dockerd.call('IpamDriver.RequestPool', {
    AddressSpace: 'weave-local',
    Pool: '10.200.0.0/16',
  })
  const { PoolID } = Object(pool)
  async function give(): Promise<void> {
    await dockerd.call('IpamDriver.RequestAddress', { PoolID, Address: '', Options: null })
  }
  const alone = await perSecond(count, async () => {
    for (let index = 0; index < count; index += 1) await give()
  })
  const together = await perSecond(count, async () => {
    let left = count
    async function work(): Promise<void> {
      while (left > 0) {
        left -= 1
        await give()
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
  })
  await dockerd.call('IpamDriver.ReleasePool', { PoolID })
  return [
    { what: 'addresses per second, one after the other', figures: { p50: figure(alone) } },
    { what: `addresses per second, ${atOnce} at once`, figures: { p50: figure(together) } },
  ]
}

async function perSecond(count: number, work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (count * 1000) / (performance.now() - start)
}

function createWith(driver: string): readonly string[] {
  return ['network', 'create', `--driver=${driver}`, `--ipam-driver=${driver}`]
}
