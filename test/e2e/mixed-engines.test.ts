/**
 * One cluster of three hosts, each with another Docker engine: what one of them makes is the same on all.
 *
 * None has a cluster store. Router and plugin run as processes of the host, with its own Node.js (20 and
 * 24), etcd, nft and iptables, where all other tests have them in containers. So the plugin also outlives dockerd here.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  addressOf,
  awaitNetwork,
  fetchText,
  pings,
  readStatus,
  removeNetwork,
  runContainer,
  serve,
} from '../support/cluster.ts'
import { createLab, ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await createLab({ hosts: 3, engine: ['20.10', '26.1', '28.5'], store: 'none' })
  const asProcess = '--run-as=process'
  await ok(lab.host(1).weave('launch', asProcess))
  for (const host of lab.hosts.slice(1)) await ok(host.weave('launch', asProcess, 'host1'))
  await Promise.all(lab.hosts.map((host) => ok(host.weave('launch-plugin', asProcess))))
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

const settings =
  '--subnet=10.80.0.0/16 --ip-range=10.80.4.0/22 --gateway=10.80.0.9 --aux-address=router=10.80.4.7 ' +
  '--internal --label=team=red -o weave.mtu=1300'

test('a network made on any engine is on all of them, with all of its settings', async () => {
  for (const [index, maker] of lab.hosts.entries()) {
    const name = `of-${maker.name}`
    const flags = settings.replaceAll('10.80.', `10.8${index}.`).split(' ')
    await makeOn(maker, name, flags)
    const seen = await Promise.all(lab.hosts.map((host) => describeNetwork(host, name)))
    expect(seen[index]).toContain(`10.8${index}.4.7`)
    expect(seen).toEqual(Array.from(seen, () => seen[index]))
  }
  for (const [index, remover] of lab.hosts.entries()) {
    await removeNetwork(lab, `of-${lab.hosts.at(index - 1)?.name}`, remover)
  }
})

test('containers on all three reach each other, by address and by name, and over TCP', async () => {
  await makeOn(lab.host(2), 'weave')
  for (const host of lab.hosts) {
    await runContainer(host, `on-${host.name}`, { args: ['--restart=always'] })
    await serve(host, `on-${host.name}`, `this is ${host.name}`)
  }
  const addresses = await Promise.all(lab.hosts.map((host) => addressOf(host, `on-${host.name}`)))
  expect(new Set(addresses).size).toBe(lab.hosts.length)
  for (const from of lab.hosts) {
    for (const [index, to] of lab.hosts.entries()) {
      for (const target of [addresses[index] ?? '', `on-${to.name}`]) {
        expect(await pings(from, `on-${from.name}`, target, '-s', '10000'), target).toBe(true)
        const text = await fetchText(from, `on-${from.name}`, `http://${target}/`)
        expect(text).toBe(`this is ${to.name}`)
      }
    }
  }
})

test.each(['stopDocker', 'killDocker'] as const)(
  'every engine comes back from %s with its container, and the others reach it',
  async (end) => {
    for (const host of lab.hosts) {
      await host[end]()
      await host.startDocker()
      for (const other of lab.hosts) {
        if (other === host) continue
        const isReached = await until(
          () => pings(other, `on-${other.name}`, `on-${host.name}`),
          30_000,
        )
        expect(isReached, `${host.name} from ${other.name}`).toBe(true)
      }
    }
  },
)

test('what is removed on one engine is gone on all, and nothing of it is left', async () => {
  for (const host of lab.hosts) await ok(host.docker('rm', '-f', `on-${host.name}`))
  await removeNetwork(lab, 'weave', lab.host(3))
  for (const host of lab.hosts) {
    const isEmpty = await until(async () => {
      const { networks, endpoints } = await readStatus(host)
      return networks.length === 0 && endpoints.length === 0
    }, 20_000)
    expect(isEmpty, host.name).toBe(true)
  }
})

async function makeOn(maker: Host, name: string, flags: readonly string[] = []): Promise<void> {
  const ours = ['--driver=weave', '--ipam-driver=weave']
  await ok(maker.docker('network', 'create', ...ours, ...flags, name))
  for (const host of lab.hosts) await awaitNetwork(host, name)
}

/** What somebody chose; engines from 28 on add an option for each family. */
async function describeNetwork(host: Host, name: string): Promise<string> {
  const format =
    '{{.Driver}} {{.IPAM.Driver}} {{json .IPAM.Config}} {{.Internal}} {{json .Labels}} {{index .Options "weave.mtu"}}'
  return ok(host.docker('network', 'inspect', '-f', format, name))
}
