/**
 * Networks everywhere, when something is away, lost, or in the way; see test/e2e/matrix/ for what every
 * engine must do.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { readStatus, runContainer, signalMain } from '../support/cluster.ts'
import { createLab, ok } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'
import {
  createNetwork,
  definitionOn,
  expectNetwork,
  expectState,
  inspect,
  listNetworks,
  removeNetwork,
} from '../support/networks.ts'

let lab: Lab
let host1: Host
let host2: Host
let host3: Host
let both: readonly Host[]
let all: readonly Host[]

beforeAll(async () => {
  lab = await createLab({ hosts: 3, engine: '26.1', store: 'none' })
  host1 = lab.host(1)
  host2 = lab.host(2)
  host3 = lab.host(3)
  both = [host1, host2]
  all = lab.hosts
  await ok(host1.weave('launch'))
  for (const host of [host2, host3]) await ok(host.weave('launch', 'host1'))
  for (const host of all) await ok(host.weave('launch-plugin'))
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('a host that was off meanwhile catches up on both, also on what it had removed itself', async () => {
  await createNetwork(host1, 'old')
  await createNetwork(host1, 'own')
  await expectNetwork(all, 'own')
  await expectNetwork(all, 'old')
  // The router is away, so that the removal is known to this host's Docker alone.
  await ok(host2.weave('stop'))
  await ok(host2.docker('network', 'rm', 'own'))
  await host2.crash()
  await removeNetwork(host1, 'old')
  await createNetwork(host1, 'new', '--label=env=test')
  await host2.boot()
  await ok(host2.weave('launch', 'host1'))

  await expectNetwork([host2], 'new')
  await expectNetwork([host2], 'old', 'gone')
  await expectNetwork(all, 'own', 'gone')
  expect((await inspect(host2, 'new'))?.Labels).toEqual({ env: 'test' })
  await removeNetwork(host1, 'new')
  await expectNetwork(all, 'new', 'gone')
})

test('a network that is removed while the plugin is away is gone, and its subnet free', async () => {
  const subnet = '--subnet=10.78.0.0/24'
  await createNetwork(host1, 'brief', subnet)
  await expectNetwork(all, 'brief')
  await ok(host2.weave('stop-plugin'))
  await ok(host2.docker('network', 'rm', 'brief'))
  await expectNetwork([host1, host3], 'brief', 'gone')
  await ok(host2.weave('launch-plugin'))

  await createNetwork(host1, 'brief', subnet)
  await expectNetwork(all, 'brief')
  await removeNetwork(host3, 'brief')
  await expectNetwork(all, 'brief', 'gone')
})

test('of two with other settings the loser’s gives way, and its host says why', async () => {
  const name = await makeTwice()
  await expectState(all, name, 'everywhere')
  const networks = await Promise.all(all.map((host) => inspect(host, name)))
  const [winner] = networks.map((network) => network?.Labels['from'])
  expect(networks.map((network) => network?.Labels['from'])).toEqual(all.map(() => winner))
  const loser = both.find((host) => host.name !== winner) ?? host1
  expect((await readStatus(loser)).warnings.join('\n')).toMatch(
    /network twice\d was made here, too.*label from/,
  )
  await removeNetwork(host1, name)
  await expectNetwork(all, name, 'gone')
})

test('a network of another driver is a conflict, named and left alone', async () => {
  await ok(host2.docker('network', 'create', '--driver=bridge', 'clash'))
  await createNetwork(host1, 'clash')
  await expectNetwork([host3], 'clash')
  await expectState([host2], 'clash', 'conflict')
  expect((await readStatus(host2)).warnings.join()).toMatch(/"clash".*driver: bridge/)
  expect(await inspect(host2, 'clash')).toMatchObject({ Driver: 'bridge' })

  await ok(host2.docker('network', 'rm', 'clash'))
  await expectState([host2], 'clash', 'everywhere')
  await removeNetwork(host2, 'clash')
  await expectNetwork(all, 'clash', 'gone')
})

test('one that is in use under other settings stays, and gives way with its last container', async () => {
  await createNetwork(host1, 'disputed')
  await expectNetwork(all, 'disputed')
  await runContainer(host2, 'last', { net: 'disputed' })
  // A host that forgot what it had, while the others made another one of this name.
  await ok(host2.weave('stop'))
  await ok(host2.run('rm -r /var/lib/weave/adopted'))
  await removeNetwork(host1, 'disputed')
  await expectNetwork([host3], 'disputed', 'gone')
  await createNetwork(host1, 'disputed', '--label=env=test')
  await expectNetwork([host3], 'disputed')
  await ok(host2.weave('launch', 'host1'))
  await expectState([host2], 'disputed', 'conflict')
  expect((await definitionOn(host2, 'disputed'))?.problem).toContain('label env: none here, "test"')

  await ok(host2.docker('rm', '-f', 'last'))
  await expectState([host2], 'disputed', 'everywhere')
  expect((await inspect(host2, 'disputed'))?.Labels).toEqual({ env: 'test' })
})

test('a store that lost its data gets it back, and no network is lost', async () => {
  await createNetwork(host1, 'plain')
  await expectState(all, 'plain', 'everywhere')
  const before = await Promise.all(all.map(listNetworks))
  await ok(host1.weave('stop'))
  await ok(host1.run('rm -r /var/lib/weave/store'))
  // One that never saw the records, and one that did.
  await signalMain(host2, 'weave', 'KILL')
  await ok(host1.weave('launch'))
  await expectState(all, 'plain', 'everywhere')
  await expectState(all, 'disputed', 'everywhere')
  expect(await Promise.all(all.map(listNetworks))).toEqual(before)

  await removeNetwork(host3, 'disputed')
  await expectNetwork(all, 'disputed', 'gone')
})

test('an engine that lost its networks gets them back, and no other engine loses any', async () => {
  // A subnet of its own: that of a network that has just gone may be taken for a moment yet (SEGMENT_TAKEN).
  await createNetwork(host1, 'kept', '--subnet=10.61.0.0/24')
  await expectState(all, 'kept', 'everywhere')
  const before = await Promise.all(both.map((host) => inspect(host, 'kept')))
  await host2.stopDocker()
  await ok(host2.run('rm /var/lib/docker/network/files/local-kv.db'))
  await host2.startDocker()

  await expectNetwork([host2], 'kept')
  await expectState(all, 'kept', 'everywhere')
  const [first, second] = await Promise.all(both.map((host) => inspect(host, 'kept')))
  expect(first).toEqual(before[0])
  expect(second?.Id).not.toBe(before[1]?.Id)
  await runContainer(host2, 'again', { net: 'kept' })
})

/** A network that two hosts have made before either heard of the other's, as far as Docker knows. */
async function makeTwice(): Promise<string> {
  for (let round = 0; round < 5; round += 1) {
    const name = `twice${round}`
    const outcomes = await Promise.allSettled(
      both.map((host) => createNetwork(host, name, `--label=from=${host.name}`)),
    )
    if (outcomes.every(({ status }) => status === 'fulfilled')) return name
    await expectState(all, name, 'everywhere')
    await removeNetwork(host1, name)
    await expectNetwork(all, name, 'gone')
  }
  throw new Error('the second was always late')
}
