/** Damaged state files and strange keys in the store are named and set aside or left alone, and cost nobody else anything. */

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSeedLab, pings, readStatus, runContainer } from '../support/cluster.ts'
import { ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

let lab: Lab
let host1: Host
let host2: Host

beforeAll(async () => {
  lab = await createSeedLab()
  host1 = lab.host(1)
  host2 = lab.host(2)
  await runContainer(host1, 'left')
  await runContainer(host1, 'beside')
  await runContainer(host2, 'right')
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

const state = '/var/lib/weave'

async function restartRouter(): Promise<void> {
  await ok(host1.docker('restart', 'weave'))
  expect(await until(async () => (await host1.weave('status')).code === 0, 30_000)).toBe(true)
}

/** The endpoint on this host's disk that has this container's address. */
async function endpointOf(container: string): Promise<string> {
  const format = '{{.NetworkSettings.Networks.weave.EndpointID}}'
  return ok(host1.docker('inspect', '-f', format, container))
}

async function everybodyIsReached(): Promise<void> {
  expect(await pings(host1, 'left', 'right')).toBe(true)
  expect(await pings(host2, 'right', 'left')).toBe(true)
}

/** Damages it, restarts the router, and expects it to be named and kept. */
async function damage(file: string, text: string): Promise<void> {
  const name = file.replace(/.*\//, '')
  await writeFile(host1.path(file), text)
  await restartRouter()
  const { warnings } = await readStatus(host1)
  expect(warnings.filter((warning) => warning.includes(file))).toHaveLength(1)
  expect(await ok(host1.weave('status'))).toContain(`warning: ${file}`)
  const aside = await readdir(host1.path(`${state}/aside`))
  const kept = aside.filter((one) => one.startsWith(name)).at(-1) ?? ''
  expect(await readFile(host1.path(`${state}/aside/${kept}`), 'utf8')).toBe(text)
}

describe('a damaged state file', () => {
  test('of the settings: defaults are in force', async () => {
    await damage(`${state}/settings.json`, '{"version":1,"launch":{"port":"67"}}')
    await everybodyIsReached()
  })

  test('of the membership: the store is found again, and the cluster is the same', async () => {
    const { cluster } = await readStatus(host1)
    await damage(`${state}/membership.json`, '')
    expect((await readStatus(host1)).cluster.id).toBe(cluster.id)
    expect((await readStatus(host1)).store.kind).toBe('docker')
    await everybodyIsReached()
  })

  test('of a network in use: it is the same network again', async () => {
    const { networks } = await readStatus(host1)
    const id = networks[0]?.id ?? ''
    // With their numbers: a link made anew is another link.
    const links = "ip -o link | grep -o '^[0-9]*: wv[^:]*'"
    const before = await ok(host1.run(links))
    const whole = await readFile(host1.path(`${state}/networks/${id}.json`), 'utf8')
    await damage(`${state}/networks/${id}.json`, whole.slice(0, whole.length / 2))
    await everybodyIsReached()
    expect(await ok(host1.run(links))).toBe(before)
    expect((await readStatus(host1)).networks).toEqual(networks)
    await runContainer(host1, 'later')
    expect(await pings(host2, 'right', 'later')).toBe(true)
  })

  test('of an endpoint: the others are reached, and it is too once it was started again', async () => {
    await damage(`${state}/endpoints/${await endpointOf('beside')}.json`, '\u0000'.repeat(512))
    await everybodyIsReached()
    await ok(host1.docker('restart', '-t', '0', 'beside'))
    expect(await pings(host2, 'right', 'beside')).toBe(true)
  })

  test('of the plugin: it is kept aside, and containers start', async () => {
    await writeFile(host1.path(`${state}/plugins/weave.json`), '{"networks":[]}')
    await ok(host1.docker('restart', 'weaveplugin'))
    await ok(host1.docker('rm', '-f', 'later'))
    await runContainer(host1, 'later')
    expect(await pings(host2, 'right', 'later')).toBe(true)
    expect(await readdir(host1.path(`${state}/aside`))).toContainEqual(
      expect.stringMatching(/^weave\.json\./),
    )
  })

  test('of the identity: the host has a new one, and the old one is forgotten', async () => {
    const { host } = await readStatus(host1)
    await damage(`${state}/identity.json`, '{"id":"Not/An/ID"}')
    const now = (await readStatus(host1)).host
    expect(now.id).not.toBe(host.id)
    expect(JSON.parse(await readFile(host1.path(`${state}/identity.json`), 'utf8'))).toEqual({
      id: now.id,
    })
    await everybodyIsReached()
    const isForgotten = await until(async () => {
      const { peers, endpoints } = await readStatus(host2)
      return peers.length === 2 && endpoints.every((one) => one.host !== host.id)
    }, 45_000)
    expect(isForgotten).toBe(true)
    await everybodyIsReached()
  })
})

async function foreign(from: Host): Promise<readonly string[]> {
  return (await readStatus(from)).store.foreignKeys.toSorted()
}

describe('strange keys in the store', () => {
  test('are named by every host, cost nobody anything, and outlive a restart', async () => {
    const { host, networks, cluster } = await readStatus(host2)
    const network = networks[0]?.id ?? ''
    const strange = [
      ['nonsense', 'x'],
      ['hosts/Not An ID', '{}'],
      ['hosts/stranger', '{"id":'],
      ['hosts/impostor', JSON.stringify({ ...host, id: 'stranger' })],
      ['networks/odd', '{"id":"odd","vni":0,"subnets":[],"multicast":false}'],
      ['vnis/0', '"odd"'],
      ['vnis/5', '7'],
      [`endpoints/${network}/stranger/e`, '[]'],
      [`endpoints/${network}/stranger`, '{}'],
      [
        `endpoints/${network}/stranger/group`,
        JSON.stringify({
          id: 'group',
          network,
          host: 'stranger',
          mac: '01:00:5e:00:00:01',
          addresses: ['10.0.0.99'],
        }),
      ],
      ['', 'the root itself'],
    ].map(([name, value]) => [`/weave/v1/${name}`, value] as const)
    for (const [key, value] of strange) await lab.store.ctl('put', key, value ?? '')
    await lab.store.ctl('put', '/other/application', 'is not our business')

    const names = strange.map(([key]) => key).toSorted()
    for (const one of [host1, host2]) {
      await until(async () => (await foreign(one)).length === names.length, 10_000)
      expect(await foreign(one)).toEqual(names)
    }
    expect(await ok(host1.weave('status'))).toContain(`${names.length} foreign keys`)
    expect(await ok(host1.weave('status', 'store'))).toContain('/weave/v1/nonsense')
    await everybodyIsReached()
    await restartRouter()
    expect(await foreign(host1)).toEqual(names)
    expect((await readStatus(host1)).cluster.id).toBe(cluster.id)
    await ok(host1.docker('network', 'create', '--driver=weave', 'another'))
    await runContainer(host1, 'new1', { net: 'another' })
    await runContainer(host2, 'new2', { net: 'another' })
    expect(await pings(host1, 'new1', 'new2')).toBe(true)

    for (const [key] of strange) await lab.store.ctl('del', key)
    expect(await until(async () => (await foreign(host1)).length === 0, 10_000)).toBe(true)
  })

  test('in place of our own are written again', async () => {
    const { host, networks, cluster } = await readStatus(host1)
    const network = networks.find(({ localEndpoints }) => localEndpoints > 1)?.id ?? ''
    const endpoint = `/weave/v1/endpoints/${network}/${host.id}/${await endpointOf('left')}`
    const ours = ['/weave/v1/cluster', `/weave/v1/hosts/${host.id}`, endpoint]
    for (const key of ours) {
      expect(await lab.store.ctl('get', '--print-value-only', key)).toContain('"id"')
      await lab.store.ctl('put', key, 'overwritten')
    }
    const isMended = await until(async () => {
      const texts = ours.map((key) => lab.store.ctl('get', '--print-value-only', key))
      return (await Promise.all(texts)).every((text) => text.includes('"id"'))
    }, 30_000)
    expect(isMended).toBe(true)
    expect((await readStatus(host2)).cluster.id).toBe(cluster.id)
    expect((await readStatus(host2)).store.foreignKeys).toEqual([])
    await everybodyIsReached()
  })
})
