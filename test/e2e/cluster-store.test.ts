/**
 * The lab's etcd: do 20.10 engines share it as their cluster store, and can it be taken away and come
 * back? Knows nothing of weave; what every engine has in common is in matrix/lab.test.ts.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLab, ok } from '../support/lab/lab.ts'
import type { Lab } from '../support/lab/lab.ts'

const patienceMs = 120_000

let lab: Lab

beforeAll(async () => {
  lab = await createLab({ hosts: 2, engine: '20.10', store: 'etcd-as-docker-cluster-store' })
}, patienceMs)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, patienceMs)

test('both engines share one cluster store', async () => {
  for (const host of lab.hosts) {
    const store = await ok(host.docker('info', '--format', '{{.ClusterStore}}'))
    expect(store).toBe('etcd://10.99.0.254:2379')
  }
})

test('a network of global scope is seen by both', async () => {
  const [host1, host2] = [lab.host(1), lab.host(2)]
  const id = await ok(host1.docker('network', 'create', '--driver=overlay', 'shared'))

  expect(await ok(host2.docker('network', 'inspect', '-f', '{{.Id}}', 'shared'))).toBe(id)

  await ok(host2.docker('network', 'rm', 'shared'))
})

test('the store stops and comes back with what it held', async () => {
  await lab.store.ctl('put', '/mark', 'kept')
  await lab.store.stop()
  await expect(lab.store.ctl('get', '/mark')).rejects.toThrow(/exit/)
  await lab.store.start()
  expect(await lab.store.ctl('get', '--print-value-only', '/mark')).toBe('kept')
})
