/** A host that loses power is noticed within its lease, and comes back with what it was. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Status } from '../../src/control/messages.ts'
import {
  createSeedLab,
  ourLinks,
  pings,
  readStatus,
  runContainer,
  storedKeys,
} from '../support/cluster.ts'
import { ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

/** The lease, and what the store takes to notice that it is over. */
const leaseMs = 30_000 + 5000

let lab: Lab
let host1: Host
let host2: Host
let before: Status['host']

beforeAll(async () => {
  lab = await createSeedLab()
  host1 = lab.host(1)
  host2 = lab.host(2)
  await ok(host2.weave('stop'))
  await ok(host2.weave('launch', '--nickname=second', '--mtu=1300'))
  await runContainer(host1, 'left')
  await runContainer(host2, 'right', { args: ['--restart=always'] })
  before = (await readStatus(host2)).host
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('its endpoints are not advertised any more, and the tables follow', async () => {
  expect(await pings(host1, 'left', 'right')).toBe(true)
  const tables = 'bridge fdb show; ip neigh show nud permanent; nft list set inet weave hosts4'
  const [remote] = (await readStatus(host1)).endpoints.filter(({ local }) => !local)
  const traces = [host2.ip, remote?.mac ?? '', remote?.addresses[0] ?? '']
  const known = await ok(host1.run(tables))
  for (const trace of traces) expect(known).toContain(trace)

  await host2.crash()
  const isForgotten = await until(async () => {
    const { peers, endpoints } = await readStatus(host1)
    return peers.length === 1 && endpoints.every(({ local }) => local)
  }, leaseMs)
  expect(isForgotten).toBe(true)
  expect((await storedKeys(lab)).filter((key) => key.includes(before.id))).toEqual([])
  const left = await until(async () => {
    const text = await ok(host1.run(tables))
    return traces.every((trace) => !text.includes(trace))
  }, 5000)
  expect(left).toBe(true)
})

test('it resumes by itself with its identity and settings, and its containers are reached', async () => {
  await host2.boot()
  const isBack = await until(async () => {
    const { peers } = await readStatus(host1)
    return peers.some(({ id, nickname }) => id === before.id && nickname === 'second')
  }, 60_000)
  expect(isBack).toBe(true)
  const after = (await readStatus(host2)).host
  expect(after).toMatchObject({ ...before, startedAt: after.startedAt, pid: after.pid })
  expect(await until(() => pings(host1, 'left', 'right'), 30_000)).toBe(true)
  expect(await pings(host2, 'right', 'left')).toBe(true)
  expect((await ourLinks(host2)).length).toBeGreaterThan(0)
})
