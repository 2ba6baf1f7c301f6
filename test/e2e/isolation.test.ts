/** A network is private to its containers: from other networks, from the host, and from forgery. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { addressOf, createSeedLab, pings, readStatus, runContainer } from '../support/cluster.ts'
import { ok } from '../support/lab/lab.ts'
import type { Host, Lab, Outcome } from '../support/lab/lab.ts'

let lab: Lab
let host1: Host
let host2: Host

beforeAll(async () => {
  lab = await createSeedLab()
  host1 = lab.host(1)
  host2 = lab.host(2)
  for (const net of ['red', 'blue']) {
    const args = ['network', 'create', '--driver=weave']
    await ok(host1.docker(...args, `--subnet=${subnets[net]}`, net))
  }
  await runContainer(host1, 'red1', { net: 'red', args: privileged })
  await runContainer(host2, 'red2', { net: 'red' })
  await runContainer(host1, 'blue1', { net: 'blue' })
  await runContainer(host2, 'blue2', { net: 'blue' })
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

const privileged = ['--cap-add=NET_ADMIN', '--cap-add=NET_RAW']
const subnets: Readonly<Record<string, string>> = { red: '10.60.0.0/16', blue: '10.61.0.0/16' }

async function inside(host: Host, container: string, script: string): Promise<string> {
  return ok(host.docker('exec', container, 'sh', '-c', script))
}

test('containers of one network reach each other, on both hosts', async () => {
  expect(await pings(host1, 'red1', 'red2')).toBe(true)
  expect(await pings(host1, 'blue1', 'blue2')).toBe(true)
})

test('two networks do not, not even with an address, a MAC and a neighbour of the other one', async () => {
  const target = await addressOf(host2, 'blue2', 'blue')
  expect(await pings(host1, 'red1', target)).toBe(false)

  const mac = await inside(host2, 'blue2', 'cat /sys/class/net/ethwe0/address')
  await inside(host1, 'red1', 'ip address add 10.61.77.77/16 dev ethwe0')
  await inside(host1, 'red1', `arp -i ethwe0 -s ${target} ${mac}`)
  expect(await pings(host1, 'red1', target)).toBe(false)
  const local = await addressOf(host1, 'blue1', 'blue')
  expect(await pings(host1, 'red1', local)).toBe(false)
  await inside(host1, 'red1', 'ip address del 10.61.77.77/16 dev ethwe0')
})

test('VXLAN forged in a container reaches no other network', async () => {
  const { networks } = await readStatus(host1)
  const blue = networks.find((network) => network.subnets.includes(subnets['blue'] ?? ''))
  const mac = await inside(host2, 'blue2', 'cat /sys/class/net/ethwe0/address')
  const script = forge({ vni: blue?.vni ?? 0, mac, host: host2.ip })

  const forged = await arrivals(() =>
    host1.docker('run', '--rm', '--net=red', 'tools', 'node', '-e', script),
  )
  expect(forged).toBeLessThan(10)
  // From a host of the cluster the very same packets arrive: the forgery itself is sound.
  const genuine = await arrivals(() => host1.run(['node', '-e', script]))
  expect(genuine).toBeGreaterThanOrEqual(20)
})

/** How many more packets the victim has received after twenty were sent. */
async function arrivals(send: () => Promise<Outcome>): Promise<number> {
  const counter = 'cat /sys/class/net/ethwe0/statistics/rx_packets'
  const before = Number(await inside(host2, 'blue2', counter))
  expect(await ok(send())).toContain('sent 20')
  return Number(await inside(host2, 'blue2', counter)) - before
}

/** Sends twenty frames to MAC, wrapped for VNI, to UDP 6784 of HOST. */
function forge(target: { vni: number; mac: string; host: string }): string {
  return `
    const { vni, mac, host } = ${JSON.stringify(target)}
    const head = Buffer.alloc(8)
    head.writeUInt8(8, 0)
    head.writeUIntBE(vni, 4, 3)
    const frame = Buffer.concat([
      Buffer.from(mac.replaceAll(':', '') + '02000000aaaa' + '88b5', 'hex'), Buffer.alloc(50)])
    const socket = require('dgram').createSocket('udp4')
    let sent = 0
    for (let n = 0; n < 20; n++) socket.send(Buffer.concat([head, frame]), 6784, host, () => {
      if (++sent === 20) { console.log('sent', sent); socket.close() }
    })`
}

test('a container reaches neither the host through its bridge, nor our ports on any host', async () => {
  const bridge = await ok(host1.run("ip -o link | grep -o 'wvb[0-9a-f]*' | sort -u"))
  for (const link of bridge.split('\n')) {
    const mac = await ok(host1.run(['cat', `/sys/class/net/${link}/address`]))
    await inside(
      host1,
      'red1',
      `ip route replace 192.0.2.1/32 dev ethwe0; arp -i ethwe0 -s 192.0.2.1 ${mac}`,
    )
    await ok(host1.run('ip address replace 192.0.2.1/32 dev lo'))
    expect(await pings(host1, 'red1', '192.0.2.1')).toBe(false)
  }
  for (const address of [host1.ip, host2.ip]) {
    const { code } = await host1.docker('exec', 'red1', 'nc', '-w', '2', '-z', address, '6783')
    expect(code).not.toBe(0)
    expect(await pings(host1, 'red1', address)).toBe(true)
  }
})

test('a second plugin socket is a driver of its own, and its networks are as private', async () => {
  for (const host of [host1, host2]) {
    await ok(host.weave('launch-plugin', '--socket=/run/docker/plugins/weave2.sock'))
  }
  await ok(host1.docker('network', 'create', '--driver=weave2', '--subnet=10.62.0.0/16', 'green'))
  await runContainer(host1, 'green1', { net: 'green' })
  await runContainer(host2, 'green2', { net: 'green' })
  expect(await pings(host1, 'green1', 'green2')).toBe(true)
  expect(await pings(host1, 'green1', await addressOf(host2, 'red2', 'red'))).toBe(false)
  await ok(host1.docker('rm', '-f', 'green1'))
  await ok(host2.docker('rm', '-f', 'green2'))
  await ok(host1.docker('network', 'rm', 'green'))
  for (const host of [host1, host2]) {
    await ok(host.weave('stop-plugin', '--socket=/run/docker/plugins/weave2.sock'))
  }
  await runContainer(host1, 'red3', { net: 'red' })
  expect(await pings(host1, 'red3', 'red2')).toBe(true)
})

test('multicast has a way into a network that asks for it, and only there', async () => {
  const options = ['-o', 'works.weave.multicast=true', '-o', 'com.docker.network.driver.mtu=1300']
  await ok(host1.docker('network', 'create', '--driver=weave', ...options, 'many'))
  await runContainer(host2, 'many2', { net: 'many' })
  expect(await inside(host2, 'many2', 'ip route')).toContain('224.0.0.0/4 dev ethwe0')
  expect(await inside(host2, 'red2', 'ip route')).not.toContain('224.0.0.0/4')
  expect(await inside(host2, 'many2', 'cat /sys/class/net/ethwe0/mtu')).toBe('1300')
})
