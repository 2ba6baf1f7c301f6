/** A network is private to its containers: from other networks, from the host, and from forgery. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  addressOf,
  createNetwork,
  createSeedLab,
  fetchText,
  pings,
  readStatus,
  removeNetwork,
  runContainer,
  serve,
} from '../../support/cluster.ts'
import { forge } from '../../support/forge.ts'
import { framesDuring } from '../../support/frames.ts'
import { ok, until } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'

let lab: Lab
let host1: Host
let host2: Host

beforeAll(async () => {
  lab = await createSeedLab()
  host1 = lab.host(1)
  host2 = lab.host(2)
  await createNetwork(lab, 'red', { args: ['--subnet=10.60.0.0/16'] })
  await createNetwork(lab, 'blue', { args: [`--subnet=${blueSubnet}`] })
  await runContainer(host1, 'red1', { net: 'red', args: privileged })
  await runContainer(host2, 'red2', { net: 'red' })
  await runContainer(host1, 'blue1', { net: 'blue' })
  await runContainer(host2, 'blue2', { net: 'blue' })
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

const privileged = ['--cap-add=NET_ADMIN', '--cap-add=NET_RAW']
const blueSubnet = '10.61.0.0/16'

test('containers of one network reach each other, on both hosts', async () => {
  expect(await pings(host1, 'red1', 'red2')).toBe(true)
  expect(await pings(host1, 'blue1', 'blue2')).toBe(true)
})

test('with the address and MAC of a container, and those of its neighbours, nothing is reached', async () => {
  const stolen = `${await addressOf(host1, 'blue1', 'blue')}/16`
  const mac = await macOf(host1, 'blue1')
  const targets = [
    { host: host2, container: 'blue2' },
    { host: host1, container: 'blue1' },
  ]
  await runContainer(host1, 'spy', { net: 'red', args: privileged })
  for (const { host, container } of targets) {
    const address = await addressOf(host, container, 'blue')
    const own = container === 'blue1' ? '10.61.77.77/16' : stolen
    await inside(
      host1,
      'spy',
      `ip link set ethwe0 address ${container === 'blue1' ? '02:00:00:00:77:77' : mac}
       ip address replace ${own} dev ethwe0
       arp -i ethwe0 -s ${address} ${await macOf(host, container)}`,
    )
    const filter = `icmp and dst ${address}`
    const arrived = await framesDuring({ host, container, filter }, async () => {
      expect(await pings(host1, 'spy', address)).toBe(false)
    })
    expect(arrived, container).toBe(0)
    await inside(host1, 'spy', `ip address del ${own} dev ethwe0`)
  }
  await ok(host1.docker('rm', '-f', 'spy'))
})

test('networks with equal subnets, addresses and MACs do not meet', async () => {
  for (const net of ['twin-a', 'twin-b']) {
    await createNetwork(lab, net, { addresses: 'none' })
    for (const [host, number] of [
      [host1, 1],
      [host2, 2],
    ] as const) {
      const args = [...privileged, `--mac-address=02:00:0a:46:00:0${number}`]
      await runContainer(host, `${net}${number}`, { net, args })
      await inside(host, `${net}${number}`, `ip address add 10.70.0.${number}/24 dev ethwe0`)
      await giveIpv6(host, `${net}${number}`, `fd00:70::${number}`)
    }
    await serve(host2, `${net}2`, `this is ${net}2`)
  }
  for (const address of ['10.70.0.2', '[fd00:70::2]']) {
    expect(await fetchText(host1, 'twin-a1', `http://${address}/`)).toBe('this is twin-a2')
    expect(await fetchText(host1, 'twin-b1', `http://${address}/`)).toBe('this is twin-b2')
  }
  // Questions for all go to all of one network, and to nobody else.
  for (const [question, filter] of [
    ['arping -c 3 -w 3 -I ethwe0 10.70.0.99', 'arp dst host 10.70.0.99'],
    ['ping -c 3 -i 1 -W 1 fd00:70::99', 'icmp6 and dst host ff02::1:ff00:99'],
  ] as const) {
    for (const [container, expected] of [
      ['twin-a2', 3],
      ['twin-b2', 0],
    ] as const) {
      const arrived = await framesDuring({ host: host2, container, filter }, () =>
        host1.docker('exec', 'twin-a1', 'sh', '-c', question),
      )
      expect(arrived, `${container}: ${filter}`).toBe(expected)
    }
  }
})

test('VXLAN forged in a container, or by a stranger, reaches no network', async () => {
  const { networks } = await readStatus(host1)
  const vni = networks.find(({ subnets }) => subnets.includes(blueSubnet))?.vni ?? 0
  const mac = await macOf(host2, 'blue2')
  const script = forge({ vni, mac, host: host2.ip })
  function arrivals(send: () => Promise<unknown>): Promise<number> {
    return framesDuring({ host: host2, container: 'blue2', filter: 'ether proto 0x88b5' }, send)
  }

  for (const [host, net] of [
    [host1, 'red'],
    [host1, 'bridge'],
    [host2, 'red'],
  ] as const) {
    const arrived = await arrivals(async () => {
      const run = ['run', '--rm', `--net=${net}`, 'tools', 'node', '-e', script]
      expect(await ok(host.docker(...run))).toBe('sent 20')
    })
    expect(arrived, `${net} on ${host.name}`).toBe(0)
  }
  expect(await arrivals(() => ok(lab.hub.run(['node', '-e', script])))).toBe(0)
  // From a host of the cluster the very same packets arrive: the forgery itself is sound.
  expect(await arrivals(() => ok(host1.run(['node', '-e', script])))).toBe(20)
})

test('a container does not reach the host through its bridge', async () => {
  const { networks } = await readStatus(host1)
  const { bridge } = networks.find(({ subnets }) => subnets.includes('10.60.0.0/16')) ?? {}
  const mac = await ok(host1.run(['cat', `/sys/class/net/${bridge}/address`]))
  await ok(
    host1.run(`
      ip address add 192.0.2.1/32 dev lo
      nft add table inet probe
      nft 'add chain inet probe input { type filter hook input priority 10; }'
      nft add rule inet probe input ip daddr 192.0.2.1 counter`),
  )
  async function knock(): Promise<number> {
    await host1.docker('exec', 'red1', 'ping', '-c3', '-i0.2', '-W1', '192.0.2.1')
    const rules = await ok(host1.run('nft list table inet probe'))
    return Number(/counter packets (\d+)/.exec(rules)?.[1])
  }
  await inside(host1, 'red1', 'ip route add 192.0.2.1/32 dev ethwe0')
  await inside(host1, 'red1', `arp -i ethwe0 -s 192.0.2.1 ${mac}`)
  expect(await knock()).toBe(0)
  // Without our rule they arrive, until it is back; on a busy machine that may be before they are sent.
  const hasArrived = await until(async () => {
    await host1.run('nft delete table bridge weave')
    return (await knock()) > 0
  }, 30_000)
  expect(hasArrived).toBe(true)
  expect(
    await until(async () => (await host1.run('nft list table bridge weave')).code === 0, 30_000),
  ).toBe(true)
})

test('a container does not reach the router of any host', async () => {
  await runContainer(host1, 'plain', { net: 'bridge' })
  for (const [host, other] of [
    [host1, host2],
    [host2, host1],
  ] as const) {
    const url = `http://${host.ip}:6783/v1/cluster`
    const open = `http://${host.ip}:6780/`
    await ok(host.run('mkdir -p /www; echo open >/www/index.html; busybox httpd -p 6780 -h /www'))
    for (const container of ['red1', 'plain']) {
      const tried = await host1.docker('exec', container, 'timeout', '2', 'wget', '-qO-', url)
      expect(tried.code, `${container} to ${host.name}: ${tried.stdout}`).not.toBe(0)
      expect(await fetchText(host1, container, open)).toBe('open')
    }
    expect(await ok(other.run(['timeout', '5', 'busybox', 'wget', '-qO-', url]))).toContain(
      '"cluster"',
    )
  }
})

test('a second plugin socket is a driver of its own, and its networks are as private', async () => {
  const socket = '--socket=/run/docker/plugins/weave2.sock'
  for (const host of [host1, host2]) await ok(host.weave('launch-plugin', socket))
  await createNetwork(lab, 'green', { driver: 'weave2', args: ['--subnet=10.62.0.0/16'] })
  await runContainer(host1, 'green1', { net: 'green', args: privileged })
  await runContainer(host2, 'green2', { net: 'green' })
  expect(await pings(host1, 'green1', 'green2')).toBe(true)

  const address = await addressOf(host2, 'red2', 'red')
  await inside(host1, 'green1', 'ip address add 10.60.77.77/16 dev ethwe0')
  await inside(host1, 'green1', `arp -i ethwe0 -s ${address} ${await macOf(host2, 'red2')}`)
  expect(await pings(host1, 'green1', address)).toBe(false)

  await ok(host1.docker('rm', '-f', 'green1'))
  await ok(host2.docker('rm', '-f', 'green2'))
  await removeNetwork(lab, 'green')
  for (const host of [host1, host2]) await ok(host.weave('stop-plugin', socket))
  await runContainer(host1, 'red3', { net: 'red' })
  expect(await pings(host1, 'red3', 'red2')).toBe(true)
})

test('multicast and MTU are as the network asks for, in it alone', async () => {
  const options = ['-o', 'works.weave.multicast=true', '-o', 'com.docker.network.driver.mtu=1300']
  await createNetwork(lab, 'many', { args: options })
  for (const [net, heard] of [
    ['many', 'to the group'],
    ['red', ''],
  ] as const) {
    await runTool(host2, `ear-${net}`, net, hear)
    await until(
      async () => (await ok(host2.docker('logs', `ear-${net}`))).includes('listening'),
      5000,
    )
    await runTool(host1, `mouth-${net}`, net, speak)
    await ok(host1.docker('wait', `mouth-${net}`))
    const said = (await ok(host2.docker('logs', `ear-${net}`))).split('\n').slice(1)
    expect([...new Set(said)].join(), net).toBe(heard)
  }
  const ear = await readLink(host2, 'ear-many')
  expect(await inside(host2, 'ear-many', 'cat /sys/class/net/ethwe0/mtu')).toBe('1300')
  expect(await ok(host2.run(['cat', `/sys/class/net/${ear}/mtu`]))).toBe('1300')
  expect(await inside(host2, 'ear-red', 'cat /sys/class/net/ethwe0/mtu')).toBe('1450')
})

const hear = `const socket = require('dgram').createSocket('udp4')
  socket.on('message', (text) => console.log(String(text)))
  socket.bind(9999, () => { socket.addMembership('239.1.2.3'); console.log('listening') })`

const speak = `const socket = require('dgram').createSocket('udp4')
  const timer = setInterval(() => socket.send('to the group', 9999, '239.1.2.3'), 100)
  setTimeout(() => { clearInterval(timer); socket.close() }, 1000)`

async function runTool(host: Host, name: string, net: string, script: string): Promise<void> {
  await ok(
    host.docker('run', '-d', `--name=${name}`, `--net=${net}`, 'tools', 'node', '-e', script),
  )
}

async function inside(host: Host, container: string, script: string): Promise<string> {
  return ok(host.docker('exec', container, 'sh', '-ec', script))
}

/** Docker switches IPv6 off where it has no address to give, and a container cannot switch it on. */
async function giveIpv6(host: Host, container: string, address: string): Promise<void> {
  const pid = await ok(host.docker('inspect', '-f', '{{.State.Pid}}', container))
  const change = `sysctl -qw net.ipv6.conf.ethwe0.disable_ipv6=0
    ip address add ${address}/64 dev ethwe0 nodad`
  await ok(host.run(['nsenter', '-t', pid, '-n', 'sh', '-ec', change]))
}

function macOf(host: Host, container: string): Promise<string> {
  return inside(host, container, 'cat /sys/class/net/ethwe0/address')
}

/** The host's end of the container's only veth in our networks. */
async function readLink(host: Host, container: string): Promise<string> {
  const index = await inside(host, container, 'cat /sys/class/net/ethwe0/iflink')
  const links = await ok(host.run(['ip', '-o', 'link']))
  return new RegExp(`^${index}: (\\w+)`, 'm').exec(links)?.[1] ?? ''
}
