/** Whatever somebody deletes or adds by hand is mended soon, and counted as drift. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { addressOf, createSeedLab, pings, readStatus, runContainer } from '../support/cluster.ts'
import { ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

let lab: Lab
let host1: Host
let host2: Host
/** Shell variables that name what is there. */
let names: string

beforeAll(async () => {
  lab = await createSeedLab()
  host1 = lab.host(1)
  host2 = lab.host(2)
  await runContainer(host1, 'left')
  await runContainer(host2, 'right')
  await until(() => pings(host1, 'left', 'right'), 5000)
  const [network] = (await readStatus(host1)).networks
  const mac = await ok(host2.docker('exec', 'right', 'cat', '/sys/class/net/ethwe0/address'))
  const ip = await addressOf(host2, 'right')
  names = `bridge=${network?.bridge} tunnel=${network?.tunnel} mac=${mac} ip=${ip};`
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

const stranger = '02:00:00:00:00:99'

/** News this soon after the router's own steps are taken for their echo, and found 20 s later. */
const echoMs = 600
/** Filters raise no event: they are looked at every ten seconds. */
const withinMs = 13_000

/** By whom it is to be mended, and what is done. */
const damages = [
  ['tables', 'bridge fdb del $mac dev $tunnel self'],
  ['tables', 'bridge fdb del $mac dev $tunnel master'],
  ['tables', 'bridge fdb del 00:00:00:00:00:00 dev $tunnel dst 10.99.0.2 self'],
  ['tables', `bridge fdb add ${stranger} dev $tunnel dst 10.99.0.9 self permanent`],
  ['tables', 'bridge fdb append 00:00:00:00:00:00 dev $tunnel dst 10.99.0.9 self'],
  ['tables', 'ip neigh del $ip dev $bridge'],
  ['tables', `ip neigh add 10.0.0.99 lladdr ${stranger} dev $bridge nud permanent`],
  ['links', 'ip link set $tunnel down'],
  ['links', 'ip link set $tunnel nomaster'],
  ['links', 'ip link del $tunnel'],
  ['sweep', 'ip link add wvb000fff type bridge'],
  ['filters', 'iptables -F FORWARD; nft delete table inet weave; nft flush table bridge weave'],
] as const

test.each(damages)('%s: %s', async (target, damage) => {
  const before = await picture()
  const counted = await driftOf(target)
  await new Promise((resolve) => setTimeout(resolve, echoMs))
  await ok(host1.run(names + damage))
  const isMended = await until(
    async () => (await driftOf(target)) > counted && (await picture()) === before,
    withinMs,
  )
  expect(await picture()).toBe(before)
  expect(isMended).toBe(true)
  expect(await pings(host1, 'left', 'right')).toBe(true)
})

test('nothing is counted while nobody touches anything', async () => {
  const before = (await readStatus(host1)).targets.map(({ drift }) => drift)
  await new Promise((resolve) => setTimeout(resolve, 3000))
  expect((await readStatus(host1)).targets.map(({ drift }) => drift)).toEqual(before)
})

/** Ours, as iproute2, nft and iptables see it; without what changes by itself. */
async function picture(): Promise<string> {
  return ok(
    host1.run(`${names}
      ip -o link | grep -o ' wv[^:]*: <[^>]*>' | sed 's/@[^:]*//' | sort
      bridge fdb show dev $tunnel | grep ' dst ' | sed 's/ self.*//' | sort
      bridge fdb show dev $tunnel | grep 'master .*static' | cut -d ' ' -f 1 | sort
      bridge fdb show br $bridge | grep 'dev wvh.* static'
      ip neigh show dev $bridge nud permanent | sort
      iptables -S | grep WEAVE
      nft list table inet weave 2>&1
      nft list table bridge weave 2>&1`),
  )
}

async function driftOf(target: string): Promise<number> {
  const { targets } = await readStatus(host1)
  return targets.find(({ name }) => name === target)?.drift ?? 0
}
