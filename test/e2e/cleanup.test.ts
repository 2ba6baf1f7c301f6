/** What weave made is gone when it is told to go: links, rules, processes, files, keys. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSeedLab, ourLinks, pings, readStatus, runContainer } from '../support/cluster.ts'
import { ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

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

async function keys(prefix = '/weave/v1/'): Promise<readonly string[]> {
  const text = await lab.store.ctl('get', '--prefix', '--keys-only', prefix)
  return text.split('\n').filter((line) => line !== '')
}

test('network rm leaves no link and no key, on either host', async () => {
  await runContainer(host1, 'left')
  await runContainer(host2, 'right')
  expect(await pings(host1, 'left', 'right')).toBe(true)
  expect((await keys('/weave/v1/networks/')).length).toBe(1)

  await ok(host1.docker('rm', '-f', 'left'))
  await ok(host2.docker('rm', '-f', 'right'))
  await ok(host2.docker('network', 'rm', 'weave'))
  for (const prefix of ['networks/', 'vnis/', 'endpoints/']) {
    expect(await until(async () => (await keys(`/weave/v1/${prefix}`)).length === 0, 10_000)).toBe(
      true,
    )
  }
  for (const host of [host1, host2]) {
    expect(await until(async () => (await ourLinks(host)).length === 0, 10_000)).toBe(true)
    expect(await until(async () => (await readStatus(host)).networks.length === 0, 10_000)).toBe(
      true,
    )
  }
})

test('the router of a host that did not remove the network does not bring it back', async () => {
  await ok(host1.weave('stop'))
  await ok(host1.weave('launch'))
  expect(await keys('/weave/v1/networks/')).toEqual([])
})

test('reset of one host leaves nothing of it, and the other one working', async () => {
  await ok(host1.docker('network', 'create', '--driver=weave', 'weave'))
  await runContainer(host2, 'right')
  await runContainer(host2, 'beside')
  await ok(host1.weave('reset', '--force'))
  await expectNothingOf(host1)
  expect(await pings(host2, 'right', 'beside')).toBe(true)
  expect((await readStatus(host2)).peers).toHaveLength(1)
})

test('reset of the last host leaves no key at all, and may be repeated', async () => {
  await ok(host2.docker('rm', '-f', 'right', 'beside'))
  await ok(host2.weave('reset', '--force'))
  await ok(host2.weave('reset', '--force'))
  await expectNothingOf(host2)
  expect(await keys()).toEqual([])
})

test('without a terminal and without --force, reset refuses', async () => {
  const { code, stderr } = await host1.weave('reset')
  expect(code).not.toBe(0)
  expect(stderr).toContain('--force')
})

async function expectNothingOf(host: Host): Promise<void> {
  expect(await ourLinks(host)).toEqual([])
  const rules = await ok(host.run('nft list tables; iptables -S; ip6tables -S'))
  expect(rules).not.toMatch(/weave/i)
  expect(await ok(host.run('ps axww -o args | grep -v grep'))).not.toMatch(
    /router\/main|plugin\/main/,
  )
  expect(await ok(host.docker('ps', '-a', '--format', '{{.Names}}'))).not.toMatch(/weave/)
  const files = 'ls -d /var/lib/weave /run/weave /var/log/weave /run/docker/plugins/weave.sock'
  expect((await host.run(`${files} 2>/dev/null`)).stdout).toBe('')
}
