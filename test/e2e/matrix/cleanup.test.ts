/** What weave made is gone when it is told to go: links, rules, processes, files, keys. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createNetwork,
  createSeedLab,
  ourLinks,
  pings,
  readStatus,
  removeNetwork,
  runContainer,
  storedKeys,
} from '../../support/cluster.ts'
import { ok, until } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'

let lab: Lab
let host1: Host
let host2: Host

beforeAll(async () => {
  lab = await createSeedLab()
  host1 = lab.host(1)
  host2 = lab.host(2)
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('network rm leaves no link and no key, on either host', async () => {
  await runContainer(host1, 'left')
  await runContainer(host2, 'right')
  expect(await pings(host1, 'left', 'right')).toBe(true)
  expect((await storedKeys(lab, 'networks/')).length).toBe(1)

  await ok(host1.docker('rm', '-f', 'left'))
  await ok(host2.docker('rm', '-f', 'right'))
  await removeNetwork(lab, 'weave', host2)
  for (const under of ['networks/', 'vnis/', 'endpoints/']) {
    expect(await until(async () => (await storedKeys(lab, under)).length === 0, 10_000)).toBe(true)
  }
  for (const host of [host1, host2]) {
    expect(await until(async () => (await ourLinks(host)).length === 0, 10_000)).toBe(true)
    expect(await until(async () => (await readStatus(host)).networks.length === 0, 10_000)).toBe(
      true,
    )
    for (const kind of ['networks', 'endpoints']) {
      expect((await host.run(['ls', `/var/lib/weave/${kind}`])).stdout).toBe('')
    }
  }
})

test('the router of a host that did not remove the network does not bring it back', async () => {
  await ok(host1.weave('stop'))
  await ok(host1.weave('launch'))
  expect(await storedKeys(lab, 'networks/')).toEqual([])
})

test('reset of one host leaves nothing of it, and the other one working', async () => {
  await createNetwork(lab, 'weave')
  await runContainer(host2, 'left')
  await runContainer(host1, 'right')
  await runContainer(host1, 'beside')
  expect(await pings(host2, 'left', 'right')).toBe(true)
  const { id } = (await readStatus(host2)).host
  const keys = (await storedKeys(lab)).filter((key) => key.includes(id))
  expect(keys.length).toBeGreaterThanOrEqual(2)

  const said = await ok(host2.weave('reset', '--force'))
  expect(Number(/removed[^]*records: (\d+)/.exec(said)?.[1])).toBeGreaterThanOrEqual(keys.length)
  await expectNothingOn(host2)
  expect((await storedKeys(lab)).filter((key) => key.includes(id))).toEqual([])
  expect(await pings(host1, 'right', 'beside')).toBe(true)
  await until(async () => (await readStatus(host1)).peers.length === 1, 5000)
  const { peers, endpoints, ready } = await readStatus(host1)
  expect({ peers: peers.length, endpoints: endpoints.length, ready }).toEqual({
    peers: 1,
    endpoints: 2,
    ready: true,
  })
  expect(await ok(host1.run('bridge fdb show'))).not.toContain(host2.ip)
})

test('a reset that is repeated finds nothing, and harms nobody', async () => {
  const before = await storedKeys(lab)
  expect(await ok(host2.weave('reset', '--force'))).toContain('nothing')
  await expectNothingOn(host2)
  expect(await storedKeys(lab)).toEqual(before)
  expect(await pings(host1, 'right', 'beside')).toBe(true)
})

test('a host that was reset joins again as a new one', async () => {
  await ok(host2.weave('launch', 'host1'))
  await ok(host2.weave('launch-plugin'))
  await ok(host2.docker('rm', '-f', 'left'))
  await runContainer(host2, 'again')
  expect(await pings(host2, 'again', 'right')).toBe(true)
  await ok(host2.docker('rm', '-f', 'again'))
})

test('without a terminal and without --force, reset refuses', async () => {
  const { code, stderr } = await host2.weave('reset')
  expect(code).not.toBe(0)
  expect(stderr).toContain('--force')
  expect((await readStatus(host2)).ready).toBe(true)
})

test('resets of stopped hosts leave nothing either, and the last one no key at all', async () => {
  await ok(host2.weave('stop'))
  await ok(host2.weave('stop-plugin', '--all'))
  await ok(host2.weave('reset', '--force'))
  await expectNothingOn(host2)
  await ok(host1.docker('rm', '-f', 'right', 'beside'))
  await ok(host1.weave('stop'))
  await ok(host1.weave('reset', '--force'))
  await ok(host1.weave('reset', '--force'))
  await expectNothingOn(host1)
  expect(await storedKeys(lab)).toEqual([])
})

async function expectNothingOn(host: Host): Promise<void> {
  expect(await ourLinks(host)).toEqual([])
  const rules = await ok(
    host.run('nft list tables; iptables -S; ip6tables -S; iptables-legacy -S 2>/dev/null; true'),
  )
  expect(rules).not.toMatch(/weave/i)
  expect(await ok(host.run('ps axww -o args | grep -v grep'))).not.toMatch(
    /router\/main|plugin\/main|weave-supervisor/,
  )
  expect(await ok(host.docker('ps', '-a', '--format', '{{.Names}}'))).not.toMatch(/weave/)
  expect(await ok(host.docker('images', '--format', '{{.Repository}}'))).not.toMatch(/weave/)
  const files = 'ls -d /var/lib/weave /run/weave /var/log/weave /run/docker/plugins/weave.sock'
  expect((await host.run(`${files} 2>/dev/null`)).stdout).toBe('')
}
