/** The README's promise: the seed's commands, on two real engines. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addressOf,
  createNetwork,
  createSeedLab,
  fetchText,
  ourLinks,
  pings,
  removeNetwork,
  runContainer,
  serve,
} from '../../support/cluster.ts'
import { ok, until } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'
import { currentMode } from '../../support/mode.ts'

let lab: Lab
let host1: Host
let host2: Host

beforeAll(async () => {
  lab = await createSeedLab()
  host1 = lab.host(1)
  host2 = lab.host(2)
  await runContainer(host1, 'left')
  await runContainer(host2, 'right')
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('a network made on one host is there on the other', async () => {
  expect(
    await ok(host2.docker('network', 'inspect', '-f', '{{.Driver}} {{.Scope}}', 'weave')),
  ).toBe(`weave ${currentMode().scope}`)
})

describe('containers on two hosts reach each other', () => {
  test('by name, both ways', async () => {
    expect(await pings(host1, 'left', 'right')).toBe(true)
    expect(await pings(host2, 'right', 'left')).toBe(true)
  })

  test('by address, both ways', async () => {
    expect(await pings(host1, 'left', await addressOf(host2, 'right'))).toBe(true)
    expect(await pings(host2, 'right', await addressOf(host1, 'left'))).toBe(true)
  })

  test('with packets of 10 kB', async () => {
    expect(await pings(host1, 'left', 'right', '-s', '10000')).toBe(true)
  })

  test('over TCP, by name and by address', async () => {
    await serve(host1, 'left', 'hello from left')
    await serve(host2, 'right', 'hello from right')
    expect(await fetchText(host1, 'left', 'http://right/')).toBe('hello from right')
    expect(await fetchText(host2, 'right', 'http://left/')).toBe('hello from left')
    expect(await fetchText(host1, 'left', `http://${await addressOf(host2, 'right')}/`)).toBe(
      'hello from right',
    )
  })

  test('and broadcasts arrive', async () => {
    const hear = `require('dgram').createSocket('udp4').bind(9999)
      .on('message', (text) => console.log(String(text)))`
    const prefix = await ok(
      host1.docker('exec', 'left', 'sh', '-c', 'ip -o -4 address show ethwe0'),
    )
    const [, broadcast = ''] = /brd ([\d.]+)/.exec(prefix) ?? []
    const shout = `const socket = require('dgram').createSocket('udp4')
      socket.bind(() => socket.setBroadcast(true) ?? socket.send('to all', 9999, '${broadcast}'))
      setTimeout(() => socket.close(), 200)`
    await ok(host2.docker('run', '-d', '--name=ear', '--net=weave', 'tools', 'node', '-e', hear))
    const heard = await until(async () => {
      await ok(host1.docker('run', '--rm', '--net=weave', 'tools', 'node', '-e', shout))
      return (await ok(host2.docker('logs', 'ear'))).includes('to all')
    }, 10_000)
    expect(heard).toBe(true)
    await ok(host2.docker('rm', '-f', 'ear'))
  })
})

test('the MTU is the underlay’s less the overhead, on both ends of the veth', async () => {
  expect(await ok(host1.docker('exec', 'left', 'cat', '/sys/class/net/ethwe0/mtu'))).toBe('1450')
  const hostEnd = (await ourLinks(host1)).find((name) => name.startsWith('wvh'))
  expect(await ok(host1.run(['cat', `/sys/class/net/${hostEnd}/mtu`]))).toBe('1450')
})

test('the first packet to a container that has just started is answered', async () => {
  for (const [from, container, to] of [
    [host1, 'left', host2],
    [host2, 'right', host1],
  ] as const) {
    for (let round = 0; round < 3; round += 1) {
      const name = `fresh${round}-${to.name}`
      await runContainer(to, name)
      expect(await pings(from, container, await addressOf(to, name))).toBe(true)
      await ok(to.docker('rm', '-f', name))
    }
  }
})

test('the way out and published ports work', async () => {
  await runContainer(host1, 'web', { args: ['-p', '8080:80'] })
  await serve(host1, 'web', 'published')
  expect(
    await ok(host2.run(['timeout', '5', 'busybox', 'wget', '-qO-', 'http://host1:8080/'])),
  ).toBe('published')
  expect(await pings(host1, 'web', host2.ip)).toBe(true)
  await ok(host1.docker('rm', '-f', 'web'))
})

test('--ip gives the address that was asked for', async () => {
  await createNetwork(lab, 'chosen', { args: ['--subnet=10.77.0.0/16'] })
  await runContainer(host1, 'fixed', { net: 'chosen', args: ['--ip=10.77.5.5'] })
  await runContainer(host2, 'other', { net: 'chosen' })
  expect(await addressOf(host1, 'fixed', 'chosen')).toBe('10.77.5.5')
  expect(await pings(host2, 'other', '10.77.5.5')).toBe(true)
  await ok(host1.docker('rm', '-f', 'fixed'))
  await ok(host2.docker('rm', '-f', 'other'))
  await removeNetwork(lab, 'chosen')
})

test('connecting and disconnecting a running container', async () => {
  await createNetwork(lab, 'second')
  await ok(host1.docker('network', 'connect', 'second', 'left'))
  await runContainer(host2, 'there', { net: 'second' })
  const there = await addressOf(host2, 'there', 'second')
  expect(await pings(host1, 'left', 'there')).toBe(true)
  expect(await pings(host1, 'left', 'right')).toBe(true)

  await ok(host1.docker('network', 'disconnect', 'second', 'left'))
  expect(await pings(host1, 'left', there)).toBe(false)
  expect(await pings(host1, 'left', 'right')).toBe(true)
  await ok(host2.docker('rm', '-f', 'there'))
  await removeNetwork(lab, 'second')
})

test('when the last container of a network goes, so do its links', async () => {
  await ok(host1.docker('rm', '-f', 'left'))
  expect(await until(async () => (await ourLinks(host1)).length === 0, 5000)).toBe(true)
})
