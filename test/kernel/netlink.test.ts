/** Our netlink against the kernel; iproute2 says what really happened. */

import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { IfIndex } from '../../src/model/address.ts'
import { RTNLGRP_LINK, RTNLGRP_NEIGH, watchKernel } from '../../src/netlink/events.ts'
import type { ChangedLinks } from '../../src/netlink/events.ts'
import {
  encodeAddDefault,
  encodeDeleteDefault,
  encodeDeleteTunnelEntry,
  encodeSetBridgeEntry,
  encodeSetRemote,
  listForwarding,
} from '../../src/netlink/forwarding.ts'
import {
  deleteLink,
  deleteLinks,
  encodeDeleteLink,
  setLink,
  setPort,
} from '../../src/netlink/link-change.ts'
import { createBridge, createTunnel, createVeth } from '../../src/netlink/link-create.ts'
import { findLink, listLinks } from '../../src/netlink/link.ts'
import { encodeSetNeighbour, listNeighbours } from '../../src/netlink/neighbour.ts'
import { inNetworkNamespace } from '../../src/netlink/netns.ts'
import { openRouteSocket } from '../../src/netlink/socket.ts'
import { createNamespace } from '../support/namespace.ts'
import type { Namespace } from '../support/namespace.ts'
import { ip, mac } from '../support/values.ts'

const entries = 10_000

let space: Namespace

beforeEach(async () => {
  space = await createNamespace('netlink')
})

afterEach(async () => {
  await space[Symbol.asyncDispose]()
})

async function indexOf(name: string): Promise<IfIndex> {
  const link = await findLink(space.socket, name)
  if (link === undefined) throw new Error(`no link ${name}`)
  return link.index
}

async function createSegment(): Promise<{ readonly bridge: IfIndex; readonly tunnel: IfIndex }> {
  const common = { mtuBytes: 1450 }
  const bridgeMac = mac('0a:57:56:00:00:01')
  const local = ip('127.0.0.1')
  await createBridge(space.socket, {
    ...common,
    name: 'wvb000001',
    mac: bridgeMac,
    multicastSnooping: false,
  })
  await createTunnel(space.socket, { ...common, name: 'wvx000001', vni: 1, local, port: 6784 })
  const [bridge, tunnel] = [await indexOf('wvb000001'), await indexOf('wvx000001')]
  await setLink(space.socket, tunnel, { master: bridge })
  await setPort(space.socket, tunnel, { learning: false, neighbourSuppression: true })
  await setLink(space.socket, tunnel, { state: 'up' })
  await setLink(space.socket, bridge, { state: 'up' })
  return { bridge, tunnel }
}

async function createPairs(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const [host, container] = [{ name: `wvh${index}` }, { name: `c${index}` }]
    await createVeth(space.socket, { host, container, mtuBytes: 1450 })
  }
}

function macOf(index: number): string {
  return index.toString(16).padStart(8, '0').match(/../g)?.join(':') ?? ''
}

test('iproute2 sees the segment that we make, and we see what it sees', async () => {
  const { bridge, tunnel } = await createSegment()
  const details = await space.run('ip', '-d', 'link', 'show')
  expect(details).toMatch(/wvb000001: <[^>]*UP[^>]*> mtu 1450/)
  expect(details).toMatch(/bridge forward_delay 0 .* mcast_snooping 0 /)
  expect(details).toMatch(/vxlan id 1 local 127.0.0.1 .*dstport 6784 nolearning .*noudpcsum/)
  expect(details).toMatch(/bridge_slave .* learning off .*neigh_suppress on/)
  expect(await space.run('ip', '-o', 'address', 'show', 'up', 'scope', 'link')).toBe('')

  const links = await listLinks(space.socket)
  expect(links.map(({ name }) => name)).toEqual(['lo', 'wvb000001', 'wvx000001'])
  expect(links.find(({ index }) => index === tunnel)).toMatchObject({
    kind: 'vxlan',
    master: bridge,
    ipv6: { enabled: true, takesLinkLocal: false, acceptsRouters: true },
    vxlan: { vni: 1, local: '127.0.0.1', port: 6784, learning: false },
    port: { learning: false, neighbourSuppression: true },
  })
})

test('a tunnel over IPv6 uses zero checksums both ways', async () => {
  const local = ip('fd00::1')
  await createTunnel(space.socket, { name: 'x6', mtuBytes: 1430, vni: 2, local, port: 6784 })
  const details = await space.run('ip', '-d', 'link', 'show', 'x6')
  expect(details).toMatch(/vxlan id 2 local fd00::1 .*udp6zerocsumtx udp6zerocsumrx/)
})

test('both ends of a veth have their MTU, MAC and alias', async () => {
  await createVeth(space.socket, {
    host: { name: 'h1', alias: 'weave:one' },
    container: { name: 'c1', alias: 'weave:two', mac: mac('02:42:0a:20:00:01') },
    mtuBytes: 1400,
  })
  const [hostEnd, containerEnd] = [
    await space.run('ip', 'link', 'show', 'h1'),
    await space.run('ip', 'link', 'show', 'c1'),
  ]
  expect(hostEnd).toMatch(/mtu 1400[^]*alias weave:one/)
  expect(containerEnd).toMatch(/mtu 1400[^]*ether 02:42:0a:20:00:01[^]*alias weave:two/)

  await deleteLink(space.socket, 'h1')
  expect(await findLink(space.socket, 'c1')).toBeUndefined()
})

test('a refusal says what was tried, which error, and the kernel’s reason', async () => {
  await createSegment()
  const again = { name: 'x2', mtuBytes: 1450, vni: 1, local: ip('127.0.0.1'), port: 6784 }
  await expect(createTunnel(space.socket, again)).rejects.toMatchObject({
    code: 'EEXIST',
    message: expect.stringMatching(/^create tunnel x2: .*VNI already exists/),
  })
  await expect(deleteLink(space.socket, 'nothing')).rejects.toMatchObject({ code: 'ENODEV' })
})

test('one message writes a remote MAC into both tables, and a second one moves it', async () => {
  const { tunnel } = await createSegment()
  const far = mac('02:42:0a:20:00:02')
  await space.socket.requestOne(encodeSetRemote(tunnel, { mac: far, host: ip('192.0.2.2') }))
  await space.socket.requestOne(
    encodeSetRemote(tunnel, { mac: far, host: ip('192.0.2.3'), port: 7784 }),
  )
  const shown = await space.run('bridge', 'fdb', 'show', 'dev', 'wvx000001')
  expect(shown).toContain(`${far} master wvb000001 static`)
  expect(shown).toContain(`${far} dst 192.0.2.3 port 7784 self static`)
  expect(shown).not.toContain('192.0.2.2')
})

test('default destinations come and go one by one, and repeating is harmless', async () => {
  const { tunnel } = await createSegment()
  const [two, three] = [{ host: ip('192.0.2.2') }, { host: ip('192.0.2.3') }]
  const added = [two, three, three].map((to) => encodeAddDefault(tunnel, to))
  expect(await space.socket.request(added)).toEqual([undefined, undefined, undefined])
  await space.socket.requestOne(encodeDeleteDefault(tunnel, two))
  const shown = await space.run('bridge', 'fdb', 'show', 'dev', 'wvx000001')
  expect(shown).toContain('00:00:00:00:00:00 dst 192.0.2.3 self static')
  expect(shown).not.toContain('192.0.2.2')
})

test('a MAC moves between the tunnel and a local port of the same bridge', async () => {
  const { bridge, tunnel } = await createSegment()
  await createVeth(space.socket, {
    host: { name: 'h1' },
    container: { name: 'c1' },
    mtuBytes: 1450,
  })
  const port = await indexOf('h1')
  await setLink(space.socket, port, { master: bridge })
  const moving = mac('02:42:0a:20:00:02')
  await space.socket.requestOne(encodeSetRemote(tunnel, { mac: moving, host: ip('192.0.2.2') }))
  await space.socket.requestOne(encodeSetBridgeEntry(port, moving))
  await space.socket.requestOne(encodeDeleteTunnelEntry(tunnel, moving))
  const shown = await space.run('bridge', 'fdb', 'show')
  expect(shown.split('\n').filter((line) => line.startsWith(moving))).toEqual([
    expect.stringContaining('dev h1 master wvb000001 static'),
  ])
})

test('a failed request in the middle does not stop those around it', async () => {
  const { tunnel } = await createSegment()
  const host = ip('192.0.2.2')
  const outcomes = await space.socket.request(
    Array.from({ length: 250 }, (_, index) =>
      index === 120
        ? encodeDeleteTunnelEntry(tunnel, mac('02:ff:ff:ff:ff:ff'))
        : encodeSetRemote(tunnel, { mac: mac(`02:00:${macOf(index)}`), host }),
    ),
  )
  expect(outcomes).toHaveLength(250)
  expect(outcomes.flatMap((error, index) => (error === undefined ? [] : [index]))).toEqual([120])
  expect(outcomes[120]).toMatchObject({ code: 'ENOENT' })
})

test('ten thousand endpoints are written at once, and read back whole', async () => {
  const { bridge, tunnel } = await createSegment()
  const wanted = Array.from({ length: entries }, (_, index) => ({
    mac: mac(`02:00:${macOf(index)}`),
    ip: ip(`10.${32 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`),
  }))
  const host = ip('192.0.2.2')
  const requests = wanted.flatMap((entry) => [
    encodeSetRemote(tunnel, { mac: entry.mac, host }),
    encodeSetNeighbour(bridge, entry),
  ])
  const outcomes = await space.socket.request(requests)
  expect(outcomes.filter((error) => error !== undefined)).toEqual([])

  const forwarding = await listForwarding(space.socket, { bridge })
  expect(forwarding.filter(({ host: at }) => at === host)).toHaveLength(entries)
  expect(
    forwarding.filter(({ state, master }) => state === 'static' && master !== undefined),
  ).toHaveLength(entries)
  expect(await listNeighbours(space.socket, { link: bridge })).toHaveLength(entries)
  const shown = await space.run(
    'sh',
    '-c',
    'bridge fdb show dev wvx000001 | grep -c "dst 192.0.2.2 self"; ip neigh show dev wvb000001 nud permanent | wc -l',
  )
  expect(shown).toBe(`${entries}\n${entries}\n`)
})

test('many links are removed together, and the one that has gone already is named', async () => {
  await createPairs(20)
  const names = Array.from({ length: 20 }, (_, index) => `wvh${index}`)
  const links = await Promise.all(names.map(indexOf))
  await deleteLink(space.socket, 'wvh7')
  const errors = await deleteLinks(space.socket, links)
  expect(errors.map((error) => error?.code)).toEqual(
    links.map((_, index) => (index === 7 ? 'ENODEV' : undefined)),
  )
  expect(await space.run('ip', '-br', 'link')).toMatch(/^lo\s+[^\n]*\n?$/)
  const again = await deleteLinks(space.socket, links)
  expect(again.map((error) => error?.code)).toEqual(links.map(() => 'ENODEV'))
})

test('a list is read whole although links come and go meanwhile, one by one', async () => {
  await createPairs(60)
  using other = inNetworkNamespace(`/run/netns/${space.name}`, () => openRouteSocket())
  const work = { isDone: false }
  const removing = other
    .request(Array.from({ length: 40 }, (_, index) => encodeDeleteLink(`wvh${index}`)))
    .finally(() => (work.isDone = true))
  while (!work.isDone) {
    const names = (await listLinks(space.socket)).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['lo', 'wvh40', 'c40', 'wvh59', 'c59']))
  }
  expect(await removing).toEqual(Array.from({ length: 40 }, () => undefined))
})

test('questions and requests that are asked all at once do not mix up their answers', async () => {
  const { tunnel } = await createSegment()
  const host = ip('192.0.2.2')
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      if (index % 3 === 0) return (await listLinks(space.socket)).length
      if (index % 3 === 1) return (await findLink(space.socket, 'wvx000001'))?.index
      const [error] = await space.socket.request([
        encodeSetRemote(tunnel, { mac: mac(`02:00:${macOf(index)}`), host }),
      ])
      return error
    }),
  )
  expect(answers).toEqual(
    Array.from({ length: 60 }, (_, index) => [3, tunnel, undefined][index % 3]),
  )
})

test('who waits longer than the deadline is told so; the work itself goes on', async () => {
  await createVeth(space.socket, {
    host: { name: 'h1' },
    container: { name: 'c1' },
    mtuBytes: 1450,
  })
  using hasty = inNetworkNamespace(`/run/netns/${space.name}`, () =>
    openRouteSocket({ deadlineMs: 0 }),
  )
  await expect(deleteLink(hasty, 'h1')).rejects.toMatchObject({ code: 'DEADLINE_PASSED' })
  await expect.poll(() => findLink(space.socket, 'h1')).toBeUndefined()
})

test('a closed socket refuses, after finishing what was asked before', async () => {
  const socket = inNetworkNamespace(`/run/netns/${space.name}`, () => openRouteSocket())
  const asked = listLinks(socket)
  socket[Symbol.dispose]()
  socket[Symbol.dispose]()
  await expect(asked).resolves.toHaveLength(1)
  await expect(listLinks(socket)).rejects.toThrow('closed')
})

test('changes are told with their link; a flood of them as "any", and those after it as usual', async () => {
  const { bridge } = await createSegment()
  using stop = disposableAbort()
  const heard: ChangedLinks[] = []
  function onChange(links: ChangedLinks): void {
    heard.push(links)
  }
  inNetworkNamespace(`/run/netns/${space.name}`, () =>
    watchKernel([RTNLGRP_LINK, RTNLGRP_NEIGH], { signal: stop.signal, onChange }),
  )
  const neighbour = ['neigh', 'replace', '10.0.0.9', 'dev', 'wvb000001', 'nud', 'permanent']
  await space.run('ip', ...neighbour, 'lladdr', '02:00:00:00:00:09')
  await expect.poll(() => heard).toContainEqual(new Set([bridge]))

  heard.length = 0
  // Synchronous, so that nobody reads while the kernel writes more than the socket holds.
  execFileSync('nsenter', [`--net=/run/netns/${space.name}`, 'ip', '-batch', '-'], {
    input: Array.from(
      { length: 6000 },
      (_, index) =>
        `neigh replace 10.1.${index >> 8}.${index & 255} dev wvb000001 lladdr 02:00:00:00:00:09 nud permanent`,
    ).join('\n'),
  })
  await expect.poll(() => heard).toContain('any')

  heard.length = 0
  await space.run('ip', ...neighbour, 'lladdr', '02:00:00:00:00:10')
  await expect.poll(() => heard).toContainEqual(new Set([bridge]))

  stop[Symbol.dispose]()
  heard.length = 0
  await space.run('ip', ...neighbour, 'lladdr', '02:00:00:00:00:11')
  expect(heard).toEqual([])
})

function disposableAbort(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController()
  return { signal: controller.signal, [Symbol.dispose]: () => controller.abort() }
}
