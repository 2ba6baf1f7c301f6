import { expect, test } from 'vitest'
import { endpointId, ifIndex, ip, mac, networkId, vni } from '../../test/support/values.ts'
import { planLinks, planSweep } from './links.ts'
import type { ActualLink, DesiredLinks } from './links.ts'
import { containerEndName, hostEndName } from './names.ts'
import type { LocalEndpoint, Segment } from './segment.ts'

const web: LocalEndpoint = {
  id: endpointId('e'.repeat(64)),
  network: networkId('net'),
  mac: mac('02:42:0a:20:00:02'),
  addresses: [ip('10.32.0.2')],
  phase: 'created',
}
const segment: Segment = {
  network: networkId('net'),
  vni: vni(0xa1f),
  mtuBytes: 1450,
  local: [web],
  remote: [],
  flood: [],
}
const underlay = { address: ip('192.0.2.1'), port: 6784 }
const desired: DesiredLinks = { segments: [segment], underlay, setsIpv6: true }
const hostEnd = hostEndName(web.id)

const ipv6 = { enabled: true, takesLinkLocal: false, acceptsRouters: false }
const bridge: ActualLink = {
  index: ifIndex(10),
  name: 'wvb000a1f',
  kind: 'bridge',
  mtuBytes: 1450,
  up: true,
  ipv6,
}
const tunnel: ActualLink = {
  index: ifIndex(11),
  name: 'wvx000a1f',
  kind: 'vxlan',
  mtuBytes: 1450,
  up: true,
  master: ifIndex(10),
  vxlan: { vni: 0xa1f, local: underlay.address, port: 6784 },
  port: { learning: false, neighbourSuppression: true },
}
const veth: ActualLink = {
  index: ifIndex(12),
  name: hostEnd,
  kind: 'veth',
  mtuBytes: 1450,
  up: true,
  master: ifIndex(10),
  port: { learning: false, neighbourSuppression: false },
}

test('an empty host gets bridge, tunnel and veth, each independent of the others', () => {
  expect(planLinks(desired, []).map(({ kind }) => kind)).toEqual([
    'create-bridge',
    'create-tunnel',
    'create-veth',
  ])
})

test('a veth whose bridge is there is put into it at once', () => {
  expect(planLinks(desired, [bridge, tunnel])).toMatchObject([
    { kind: 'create-veth', master: bridge.index },
  ])
})

test('a complete host needs nothing, and nothing of it is swept', () => {
  expect(planSweep(desired, [bridge, tunnel, veth])).toEqual([])
  expect(planLinks(desired, [bridge, tunnel, veth])).toEqual([])
})

test('a new port is put into the bridge, set up while down, then brought up', () => {
  const { port: _port, master: _master, ...loose } = { ...veth, up: false }
  expect(planLinks(desired, [bridge, tunnel, loose])).toMatchObject([
    { kind: 'enslave', name: hostEnd },
  ])

  const enslaved = { ...veth, up: false, port: { learning: true, neighbourSuppression: false } }
  expect(planLinks(desired, [bridge, tunnel, enslaved])).toMatchObject([{ kind: 'set-port' }])

  expect(planLinks(desired, [bridge, tunnel, { ...veth, up: false }])).toMatchObject([
    { kind: 'set-up' },
  ])
})

test('a link that would take an address of its own is denied it before it comes up', () => {
  const half = { ...bridge, up: false, ipv6: { ...ipv6, takesLinkLocal: true } }
  expect(planLinks(desired, [half, tunnel, veth])).toMatchObject([{ kind: 'deny-link-local' }])
})

test('a bridge is told to ignore routers and to keep IPv6 neighbours, where we may tell it', () => {
  for (const wrong of [{ acceptsRouters: true }, { enabled: false }]) {
    const actual = [{ ...bridge, ipv6: { ...ipv6, ...wrong } }, tunnel, veth]
    expect(planLinks(desired, actual)).toMatchObject([{ kind: 'set-ipv6', name: bridge.name }])
    expect(planLinks({ ...desired, setsIpv6: false }, actual)).toEqual([])
  }
  expect(planLinks(desired, [{ ...bridge, ipv6: undefined }, tunnel, veth])).toEqual([])
})

test('a veth that Docker took is not made again, whatever became of it', () => {
  const joined = { ...segment, local: [{ ...web, phase: 'joined' as const }] }
  expect(planLinks({ ...desired, segments: [joined] }, [bridge, tunnel])).toEqual([])
})

test('a tunnel with another VNI, port or underlay address is replaced', () => {
  for (const vxlan of [
    { vni: 1, local: underlay.address, port: 6784 },
    { vni: 0xa1f, local: ip('192.0.2.9'), port: 6784 },
    { vni: 0xa1f, local: underlay.address, port: 4789 },
  ]) {
    expect(planLinks(desired, [bridge, { ...tunnel, vxlan }, veth])).toEqual([
      { kind: 'delete-link', link: tunnel.index, name: tunnel.name },
    ])
  }
})

test('our links that nothing explains are removed, and nobody else’s', () => {
  const others = ['eth0', 'docker0', 'wvlab0', 'veth1234'].map((name, index) => ({
    ...veth,
    name,
    index: ifIndex(100 + index),
  }))
  const orphan = { ...veth, name: containerEndName(endpointId('gone')), index: ifIndex(99) }
  expect(
    planSweep({ ...desired, segments: [] }, [bridge, tunnel, veth, orphan, ...others]),
  ).toEqual(
    [bridge, tunnel, veth, orphan].map(({ index, name }) => ({
      kind: 'delete-link',
      link: index,
      name,
    })),
  )
})

test('the MTU is mended on every link of a segment', () => {
  const low = [bridge, tunnel, veth].map((link) => ({ ...link, mtuBytes: 1400 }))
  expect(planLinks(desired, low).map(({ kind }) => kind)).toEqual(['set-mtu', 'set-mtu', 'set-mtu'])
})
