/** What people do in another order than the README, and what they do by mistake. */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  awaitNetwork,
  createNetwork,
  pings,
  readStatus,
  restarted,
  runContainer,
  storedKeys,
} from '../../support/cluster.ts'
import { createLab, ok, until } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'
import { currentMode } from '../../support/mode.ts'

const { engine, store } = currentMode()

let lab: Lab
let host1: Host
let host2: Host
let host3: Host

beforeAll(async () => {
  lab = await createLab({ hosts: 3, engine, store })
  host1 = lab.host(1)
  host2 = lab.host(2)
  host3 = lab.host(3)
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('the plugin before the router is refused, with what to type first', async () => {
  const { code, stderr } = await host1.weave('launch-plugin')
  expect(code).toBe(69)
  expect(stderr).toContain('weave launch [peers]')
  expect((await host1.run(['ls', '/run/docker/plugins/weave.sock'])).code).not.toBe(0)
  expect(await ok(host1.docker('ps', '-aq'))).toBe('')
})

test('a first host that names dead peers is refused, with each peer and why', async () => {
  const { code, stderr } = await host1.weave('launch', 'host2', 'nowhere.invalid', '10.99.0.77')
  expect(code).toBe(69)
  expect(stderr).toMatch(/host2 \(.*router running/)
  expect(stderr).toMatch(/nowhere\.invalid \(\S+/)
  expect(stderr).toContain('10.99.0.77 (')
  expect((await host1.run(['ls', '/var/lib/weave/settings.json'])).code).not.toBe(0)
  expect(await storedKeys(lab)).toEqual([])
})

test('a host that names itself founds, as if it had named nobody', async () => {
  expect(await ok(host1.weave('launch', 'host1', 'host1', '127.0.0.1'))).toContain('founded')
})

test('launching twice is refused, with the way out; launching the plugin twice is not', async () => {
  const { code, stderr } = await host1.weave('launch')
  expect(code).toBe(75)
  expect(stderr).toContain('weave stop')
  await ok(host1.weave('launch-plugin'))
  expect(await ok(host1.weave('launch-plugin'))).toMatch(/already/)
})

test('a network made, and used, before the second host joins', async () => {
  await createNetwork(lab, 'weave', { hosts: [host1] })
  await runContainer(host1, 'left')
  const launched = await host2.weave('launch', 'host1', 'host1', 'host3')
  expect(await ok(Promise.resolve(launched))).toContain('joined')
  expect(launched.stderr).toMatch(/host3.*passed over/)
  await ok(host2.weave('launch-plugin'))
  await awaitNetwork(host2, 'weave')
  await runContainer(host2, 'right')
  expect(await pings(host2, 'right', 'left')).toBe(true)
})

test('a host that is given another name keeps its identity, on a bare launch', async () => {
  const before = (await readStatus(host2)).host.id
  await restarted(host2, async () => {
    await ok(host2.weave('stop'))
    await ok(host2.run('hostname renamed'))
    await ok(host2.weave('launch'))
  })
  const after = await readStatus(host2)
  expect(after.host).toMatchObject({ id: before, nickname: 'renamed' })
  expect(after.cluster.id).toBe((await readStatus(host1)).cluster.id)
  expect(await until(() => pings(host1, 'left', 'right'), 10_000)).toBe(true)
  const nicknames = (await readStatus(host1)).peers.map(({ nickname }) => nickname)
  expect(nicknames).toEqual(['host1', 'renamed'])
})

test('a copy of a machine is refused soon, and told what to do; the original stays', async () => {
  const keys = await storedKeys(lab)
  const identity = await readFile(host1.path('/var/lib/weave/identity.json'), 'utf8')
  await mkdir(host3.path('/var/lib/weave'), { recursive: true })
  await writeFile(host3.path('/var/lib/weave/identity.json'), identity)
  const launching = host3.run(['weave', 'launch', 'host2'], { deadlineMs: 20_000 })
  const { code, stderr } = await launching
  expect(code).toBe(78)
  expect(stderr).toContain('HOST_ID_TAKEN')
  expect(stderr).toContain('weave reset')
  await ok(host3.weave('reset', '--force'))
  expect(await storedKeys(lab)).toEqual(keys)
  await ok(host3.weave('launch', 'host1'))
  expect((await readStatus(host3)).peers).toHaveLength(3)
  expect(await pings(host1, 'left', 'right')).toBe(true)
})
