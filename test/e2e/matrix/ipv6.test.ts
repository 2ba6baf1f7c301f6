/**
 * IPv6 inside and outside: a network of both families on hosts that reach each other by IPv4, and the same
 * on hosts that reach each other by IPv6. What holds for IPv4 in the other files holds here, too.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addressOf,
  createNetwork,
  createSeedLab,
  fetchText,
  ipv6Of,
  ourLinks,
  pings,
  readStatus,
  restarted,
  runContainer,
  serve,
  signalMain,
} from '../../support/cluster.ts'
import { lostWhile } from '../../support/flow.ts'
import { forge } from '../../support/forge.ts'
import { framesDuring } from '../../support/frames.ts'
import { createLab, ok } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'
import { currentMode } from '../../support/mode.ts'

const mode = currentMode()
const net = 'six'
const solicited = 'icmp6 and ip6[40] == 135 and dst net ff02::1:ff00:0/104'

describe.each([
  { underlay: 'IPv4', mtu: 1450 },
  { underlay: 'IPv6', mtu: 1430 },
] as const)('on hosts that reach each other by $underlay,', ({ underlay, mtu }) => {
  let lab: Lab
  let host1: Host
  let host2: Host

  beforeAll(async () => {
    lab = await createSeedLab(2, underlay)
    host1 = lab.host(1)
    host2 = lab.host(2)
    const subnets = ['--subnet=10.80.0.0/16', '--subnet=fd00:80::/64']
    await createNetwork(lab, net, { args: ['--ipv6', ...subnets] })
    await runContainer(host1, 'left', { net, args: ['--cap-add=NET_ADMIN'] })
    await runContainer(host2, 'right', { net })
  }, 180_000)

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]()
  }, 60_000)

  test('they know each other by addresses of that family', async () => {
    const { peers } = await readStatus(host2)
    const own = underlay === 'IPv4' ? [host1.ip, host2.ip] : [host1.ip6, host2.ip6]
    expect(peers.map(({ address }) => address).toSorted()).toEqual(own)
  })

  test('containers reach each other by address and by name, both ways, with small and big packets', async () => {
    for (const [host, from, other, to] of [
      [host1, 'left', host2, 'right'],
      [host2, 'right', host1, 'left'],
    ] as const) {
      const address = await ipv6Of(other, to, net)
      for (const target of [to, address]) {
        expect(await pings(host, from, target, '-6'), target).toBe(true)
        expect(await pings(host, from, target, '-6', '-s', '10000'), target).toBe(true)
      }
      expect(await pings(host, from, await addressOf(other, to, net))).toBe(true)
    }
  })

  test('and over TCP', async () => {
    await serve(host2, 'right', 'hello from right')
    const address = await ipv6Of(host2, 'right', net)
    for (const name of [`[${address}]`, 'right']) {
      expect(await fetchText(host1, 'left', `http://${name}/`)).toBe('hello from right')
    }
  })

  test('the MTU is the underlay’s less the overhead, on both ends of the veth', async () => {
    const file = '/sys/class/net/ethwe0/mtu'
    expect(await ok(host1.docker('exec', 'left', 'cat', file))).toBe(String(mtu))
    const hostEnd = (await ourLinks(host1)).find((name) => name.startsWith('wvh'))
    expect(await ok(host1.run(['cat', `/sys/class/net/${hostEnd}/mtu`]))).toBe(String(mtu))
  })

  test('who has an address is answered on the spot; only an unknown one is asked for elsewhere', async () => {
    const watched = { host: host2, container: 'right', filter: solicited }
    const address = await ipv6Of(host2, 'right', net)
    const known = await framesDuring(watched, async () => {
      await ok(host1.docker('exec', 'left', 'ip', '-6', 'neigh', 'flush', 'dev', 'ethwe0'))
      expect(await pings(host1, 'left', address)).toBe(true)
    })
    expect(known).toBe(0)
    const unknown = await framesDuring(watched, () => pings(host1, 'left', 'fd00:80::dead'))
    expect(unknown).toBeGreaterThan(0)
  })

  test('the first packet to a container that has just started is answered', async () => {
    for (const [from, container, to] of [
      [host1, 'left', host2],
      [host2, 'right', host1],
    ] as const) {
      const name = `fresh-${to.name}`
      await runContainer(to, name, { net })
      expect(await pings(from, container, await ipv6Of(to, name, net))).toBe(true)
      await ok(to.docker('rm', '-f', name))
    }
  })

  test('a group is heard by all of its network', async () => {
    await ok(host2.docker('run', '-d', '--name=ear', `--net=${net}`, 'tools', 'node', '-e', hear))
    await ok(host1.docker('run', '--rm', `--net=${net}`, 'tools', 'node', '-e', speak))
    expect(await ok(host2.docker('logs', 'ear'))).toContain('to the group')
    await ok(host2.docker('rm', '-f', 'ear'))
  })

  test('routers that end and come back cost no packet, and stay with their family', async () => {
    const before = (await readStatus(host2)).host.address
    const address = await ipv6Of(host2, 'right', net)
    const flow = { from: host1, container: 'left', to: host2, server: 'right', address }
    const losses = await lostWhile(flow, () =>
      Promise.all(
        lab.hosts.map((host) => restarted(host, () => signalMain(host, 'weave', 'KILL'))),
      ),
    )
    expect(losses).toEqual({ lost: 0, broken: false })
    expect((await readStatus(host2)).host.address).toBe(before)
  })

  test('VXLAN forged by a stranger reaches no network', async () => {
    const vni = (await readStatus(host2)).networks.find(isOurs)?.vni ?? 0
    const mac = await ok(host2.docker('exec', 'right', 'cat', '/sys/class/net/ethwe0/address'))
    const { address: host } = (await readStatus(host2)).host
    const script = ['node', '-e', forge({ vni, mac, host })]
    const watched = { host: host2, container: 'right', filter: 'ether proto 0x88b5' }
    expect(await framesDuring(watched, () => ok(lab.hub.run(script)))).toBe(0)
    // From a host of the cluster the very same packets arrive: the forgery itself is sound.
    expect(await framesDuring(watched, () => ok(host1.run(script)))).toBe(20)
  })

  test('a host of the other family is refused before anything is changed', async () => {
    const [own, other] = underlay === 'IPv4' ? [host2.ip, host2.ip6] : [host2.ip6, host2.ip]
    await ok(host2.weave('stop'))
    const refused = await host2.weave('launch', `--host=${other}`, 'host1', host1.ip6)
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toMatch(/FAMILIES_DIFFER/)
    expect(refused.stderr).toContain(`--host=: ${own}`)
    await ok(host2.weave('launch', 'host1', host1.ip6))
    expect((await readStatus(host2)).host.address).toBe(own)
    expect(await pings(host1, 'left', await ipv6Of(host2, 'right', net))).toBe(true)
  })

  test('a network may have IPv6 alone, unless the engine is too old for that', async () => {
    expect(await tryIpv6Alone()).toBe(mode.ipv6Alone)
  })

  async function tryIpv6Alone(): Promise<boolean> {
    const { stdout: help } = await host1.docker('network', 'create', '--help')
    if (!help.includes('--ipv4')) return false
    const args = ['--ipv4=false', '--ipv6', '--subnet=fd00:81::/64']
    await createNetwork(lab, 'alone', { args })
    await runContainer(host1, 'one', { net: 'alone' })
    await runContainer(host2, 'two', { net: 'alone' })
    const [one, two] = [await ipv6Of(host1, 'one', 'alone'), await ipv6Of(host2, 'two', 'alone')]
    return (
      (await addressOf(host2, 'two', 'alone')) === '' &&
      (await pings(host1, 'one', two, '-s', '10000')) &&
      (await pings(host2, 'two', one))
    )
  }
})

test('without any etcd the first host runs one at its IPv6 address, and a name with no other leads there', async () => {
  await using lab = await createLab({ hosts: 2, engine: mode.engine, store: 'none' })
  const [host1, host2] = [lab.host(1), lab.host(2)]
  await ok(host1.weave('launch', `--host=${host1.ip6}`))
  await ok(host2.run(`echo ${host1.ip6} six >>/etc/hosts`))
  expect(await ok(host2.weave('launch', 'six:6783'))).toMatch(/joined.*etcd on \[fd99::1\]:6785/)
  for (const host of [host1, host2]) {
    await restarted(host, () => signalMain(host, 'weave', 'KILL'))
    expect(await readStatus(host)).toMatchObject({
      host: { address: host.ip6, mtuBytes: 1430 },
      store: { connected: true, endpoints: ['[fd99::1]:6785'] },
      peers: [{ address: host.ip6 }, {}],
    })
  }
}, 120_000)

function isOurs({ subnets }: { readonly subnets: readonly string[] }): boolean {
  return subnets.includes('fd00:80::/64')
}

const hear = `const socket = require('dgram').createSocket('udp6')
  socket.on('message', (text) => console.log(String(text)))
  socket.bind(9999, () => socket.addMembership('ff05::1234', '::%ethwe0'))`

const speak = `const socket = require('dgram').createSocket('udp6')
  const timer = setInterval(() => socket.send('to the group', 9999, 'ff05::1234'), 100)
  setTimeout(() => { clearInterval(timer); socket.close() }, 1500)`
