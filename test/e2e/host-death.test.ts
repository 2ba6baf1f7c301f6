/** A host that loses power is noticed within its lease, and comes back with what it was. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSeedLab, ourLinks, pings, readStatus, runContainer } from '../support/cluster.ts'
import { ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

/** The lease, and what the store takes to notice that it is over. */
const leaseMs = 30_000 + 10_000

let lab: Lab
let host1: Host
let host2: Host

beforeAll(async () => {
  lab = await createSeedLab()
  host1 = lab.host(1)
  host2 = lab.host(2)
  await runContainer(host1, 'left')
  await runContainer(host2, 'right', { args: ['--restart=always'] })
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('its endpoints are not advertised any more, and the tables follow', async () => {
  expect(await pings(host1, 'left', 'right')).toBe(true)
  await host2.crash()
  const isForgotten = await until(async () => {
    const { peers, endpoints } = await readStatus(host1)
    return peers.length === 1 && endpoints.every(({ local }) => local)
  }, leaseMs)
  expect(isForgotten).toBe(true)
  const forwarding = await ok(host1.run('bridge fdb show'))
  expect(forwarding).not.toContain(host2.ip)
  expect(await ok(host1.run('nft list set inet weave hosts4'))).not.toContain(host2.ip)
})

test('it comes back with its identity, by itself, and its containers are reached again', async () => {
  await host2.boot()
  const isBack = await until(
    async () => (await readStatus(host1)).peers.some(({ nickname }) => nickname === 'host2'),
    60_000,
  )
  expect(isBack).toBe(true)
  await ok(host2.docker('rm', '-f', 'right'))
  await runContainer(host2, 'again')
  expect(await until(() => pings(host1, 'left', 'again'), 20_000)).toBe(true)
  expect((await ourLinks(host2)).length).toBeGreaterThan(0)
})
