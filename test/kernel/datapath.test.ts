/**
 * Two hosts as namespaces, our targets on each, containers as namespaces: the real kernel forwards,
 * and iproute2, ping and tcpdump judge. All of it over an IPv4 and over an IPv6 underlay.
 */

import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { overlayMtuBytes } from '../../src/datapath/mtu.ts'
import { containerEndName } from '../../src/datapath/names.ts'
import type { LocalEndpoint, RemoteEndpoint, Segment } from '../../src/datapath/segment.ts'
import type { IpAddress } from '../../src/model/address.ts'
import { findIpv6Settings } from '../../src/netlink/ipv6-settings.ts'
import type { Ipv6Settings } from '../../src/netlink/ipv6-settings.ts'
import { inNetworkNamespace } from '../../src/netlink/netns.ts'
import { runPass } from '../../src/reconcile/reconcile.ts'
import type { Target } from '../../src/reconcile/reconcile.ts'
import { ipv6SettingsDirs } from '../../src/settings/paths.ts'
import { linksTarget, removeAllLinks } from '../../src/targets/links.ts'
import { createTableMemory } from '../../src/targets/table-memory.ts'
import { tablesTarget } from '../../src/targets/tables.ts'
import { advertiseRouter } from '../support/advertise.ts'
import { createNamespace } from '../support/namespace.ts'
import type { Namespace } from '../support/namespace.ts'
import { endpointId, ip, mac, networkId, vni } from '../support/values.ts'

const never = new AbortController().signal
const tunnel = 'wvx000a1f'
const bridge = 'wvb000a1f'

interface Host {
  readonly space: Namespace
  readonly container: Namespace
  readonly endpoint: LocalEndpoint
  /** Brings links and tables to this state of knowledge about the other host. */
  readonly settle: (known: Pick<Segment, 'remote' | 'flood'>, mtuBytes?: number) => Promise<void>
}

let hosts: Host[] = []

const underlays = [
  { family: 'IPv4', prefix: '192.0.2.', length: 24 },
  { family: 'IPv6', prefix: 'fd99::', length: 64 },
] as const
let underlay: (typeof underlays)[number] = underlays[0]

function underlayOf(number: number): IpAddress {
  return ip(`${underlay.prefix}${number}`)
}

beforeEach(async () => {
  const left = await createHost(1)
  const right = await createHost(2)
  hosts = [left, right]
  const cable = ['link', 'add', 'under0', 'type', 'veth', 'peer', 'under0', 'netns']
  await left.space.run('ip', ...cable, right.space.name)
  for (const [index, { space }] of hosts.entries()) {
    const address = `${underlayOf(index + 1)}/${underlay.length}`
    const nodad = underlay.length === 64 ? ['nodad'] : []
    await space.run('ip', 'address', 'add', address, 'dev', 'under0', ...nodad)
    await space.run('ip', 'link', 'set', 'under0', 'up')
  }
  for (const host of hosts) await plugIn(host)
})

afterEach(async () => {
  for (const { space, container } of hosts) {
    await container[Symbol.asyncDispose]()
    await space[Symbol.asyncDispose]()
  }
})

async function createHost(number: 1 | 2): Promise<Host> {
  const address = underlayOf(number)
  const space = await createNamespace(`host${number}`)
  const container = await createNamespace(`container${number}`)
  const endpoint: LocalEndpoint = {
    id: endpointId(`endpoint${number}`),
    network: networkId('net'),
    mac: mac(`02:42:0a:20:00:0${number}`),
    addresses: [ip(`10.32.0.${number}`), ip(`fd00::${number}`)],
    phase: 'created',
  }
  const memory = createTableMemory(space.socket, () => performance.now())
  async function settle(
    known: Pick<Segment, 'remote' | 'flood'>,
    mtuBytes = overlayMtuBytes(1500, address),
  ): Promise<void> {
    const segment = {
      network: endpoint.network,
      vni: vni(0xa1f),
      mtuBytes,
      local: [endpoint],
    }
    const segments = [{ ...segment, ...known }]
    const desired = { segments, underlay: { address, port: 6784 }, setsIpv6: true }
    await settleTarget(linksTarget(space.socket, async () => desired, settingsIn(space)))
    memory.distrust()
    await settleTarget(tablesTarget(space.socket, memory, async () => segments))
  }
  return { space, container, endpoint, settle }
}

/** The files are of the namespace that the thread is in. */
function settingsIn({ name }: Namespace): Ipv6Settings {
  const settings = findIpv6Settings(ipv6SettingsDirs)
  if (settings === undefined) throw new Error('the kernel’s IPv6 settings cannot be written')
  return {
    ignoreRouters: (link) =>
      inNetworkNamespace(`/run/netns/${name}`, () => settings.ignoreRouters(link)),
    switchOn: (link) => inNetworkNamespace(`/run/netns/${name}`, () => settings.switchOn(link)),
  }
}

async function settleTarget<D, A, S>(target: Target<D, A, S>): Promise<void> {
  for (let round = 0; round < 8; round += 1) {
    const pass = await runPass(target, never)
    if (pass.kind === 'settled') return
    if (pass.kind !== 'changed') throw new Error(JSON.stringify(pass))
  }
  throw new Error(`${target.name} does not settle`)
}

/** What Docker does: moves the interface, renames it, gives it its addresses. */
async function plugIn({ space, container, endpoint, settle }: Host): Promise<void> {
  await settle({ remote: [], flood: [] })
  const end = containerEndName(endpoint.id)
  await space.run('ip', 'link', 'set', end, 'netns', container.name, 'name', 'ethwe0')
  for (const [address, length] of [
    [endpoint.addresses[0], 24],
    [endpoint.addresses[1], 64],
  ] as const) {
    const nodad = length === 64 ? ['nodad'] : []
    await container.run('ip', 'address', 'add', `${address}/${length}`, 'dev', 'ethwe0', ...nodad)
  }
  await container.run('ip', 'link', 'set', 'ethwe0', 'up')
}

function remoteOf(host: Host, number: 1 | 2): RemoteEndpoint {
  const via = { address: underlayOf(number), port: 6784 }
  return { mac: host.endpoint.mac, addresses: host.endpoint.addresses, via }
}

function pair(): readonly [Host, Host] {
  const [left, right] = hosts
  if (left === undefined || right === undefined) throw new Error('no hosts')
  return [left, right]
}

async function settleBoth(): Promise<void> {
  const [left, right] = pair()
  const [toLeft, toRight] = [remoteOf(left, 1), remoteOf(right, 2)]
  await left.settle({ remote: [toRight], flood: [toRight.via] })
  await right.settle({ remote: [toLeft], flood: [toLeft.via] })
}

/** What the host has on its bridge that nobody gave it. */
async function taken({ space }: Host): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 200))
  const addresses = await space.run('ip', '-6', 'address', 'show', 'dev', bridge)
  return addresses + (await space.run('ip', '-6', 'route', 'show', 'dev', bridge))
}

const ping = ['busybox', 'ping', '-c1', '-W2'] as const
const solicitation = '(icmp6 and ip6[40] == 135)'

/** What tcpdump says of the frames that left `host` by `link` while `work` ran, a line for each. */
async function sentWhile(
  { host, filter, link = tunnel }: { host: Host; filter: string; link?: string },
  work: () => Promise<void>,
): Promise<readonly string[]> {
  const dump = ['tcpdump', '-Z', 'root', '-elni', link, '-Q', 'out', filter]
  const capture = host.space.run('timeout', '-s', 'INT', '4', ...dump)
  const lines = capture.catch((error: unknown) => outputOf(error))
  await new Promise((resolve) => setTimeout(resolve, 1000))
  await work()
  return (await lines).split('\n').filter((line) => line.includes(' > '))
}

function outputOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'stdout' in error
    ? String(error.stdout)
    : ''
}

describe.each(underlays)('over $family', (chosen) => {
  beforeAll(() => {
    underlay = chosen
  })

  test('containers reach each other over IPv4 and IPv6, and ask no other host who has an address', async () => {
    await settleBoth()
    const [left] = pair()
    const filter = `arp or ${solicitation}`
    const asked = await sentWhile({ host: left, filter }, async () => {
      await left.container.run(...ping, '10.32.0.2')
      await left.container.run(...ping, '-s', '10000', '10.32.0.2')
      await left.container.run(...ping, 'fd00::2')
      await left.container.run(...ping, '-s', '10000', 'fd00::2')
    })
    expect(asked).toEqual([])
  })

  test('the biggest packet that fits a container’s interface fills one of the underlay’s, and is not cut', async () => {
    await settleBoth()
    const [left] = pair()
    const mtuBytes = overlayMtuBytes(1500, underlayOf(1))
    const sent = await sentWhile(
      { host: left, filter: 'greater 1000', link: 'under0' },
      async () => {
        await left.container.run(...ping, '-s', `${mtuBytes - 28}`, '10.32.0.2')
        await left.container.run(...ping, '-s', `${mtuBytes - 48}`, 'fd00::2')
      },
    )
    expect(sent.map((line) => /length (\d+):/.exec(line)?.[1])).toEqual(['1514', '1514'])
  })

  test('an MTU too small for IPv6 leaves IPv4 working, and IPv6 returns with a bigger one', async () => {
    await settleBoth()
    const [left, right] = pair()
    const known = { remote: [remoteOf(right, 2)], flood: [remoteOf(right, 2).via] }
    await left.settle(known, 1200)
    expect(await left.space.run('ip', '-6', 'neigh', 'show', 'dev', bridge)).toBe('')
    await left.container.run(...ping, '10.32.0.2')
    await left.settle(known)
    expect(await left.space.run('ip', '-6', 'neigh', 'show', 'dev', bridge)).toContain(
      'fd00::2 lladdr',
    )
    await left.container.run(...ping, 'fd00::2')
  })

  test('an endpoint that nobody has told us about is reached all the same', async () => {
    const [left, right] = pair()
    const [toLeft, toRight] = [remoteOf(left, 1), remoteOf(right, 2)]
    await left.settle({ remote: [], flood: [toRight.via] })
    await right.settle({ remote: [], flood: [toLeft.via] })
    for (const [filter, address] of [
      ['arp', '10.32.0.2'],
      [solicitation, 'fd00::2'],
    ] as const) {
      const asked = await sentWhile({ host: left, filter }, async () => {
        await left.container.run(...ping, address)
      })
      expect(asked, address).not.toEqual([])
    }
  })

  test('a host without an endpoint in the network is sent nothing', async () => {
    const [left] = pair()
    const sent = await sentWhile({ host: left, filter: 'ip or arp' }, async () => {
      expect(await left.container.tries(...ping, '10.32.0.9')).toBe(false)
    })
    const outside = await left.space.run('ip', '-s', '-j', 'link', 'show', 'under0')
    expect(JSON.parse(outside)[0].stats64.tx.packets).toBeLessThan(20)
    expect(sent.length).toBeLessThanOrEqual(3)
  })

  test('entries that somebody deletes or adds are mended', async () => {
    await settleBoth()
    const [left, right] = pair()
    const { mac: far } = right.endpoint
    await left.space.run('bridge', 'fdb', 'del', far, 'dev', tunnel, 'self')
    await left.space.run('bridge', 'fdb', 'del', far, 'dev', tunnel, 'master')
    await left.space.run('ip', 'neigh', 'del', '10.32.0.2', 'dev', bridge)
    await left.space.run(
      'bridge',
      'fdb',
      'add',
      '02:00:00:00:00:99',
      'dev',
      tunnel,
      'dst',
      underlayOf(9),
      'self',
    )
    await left.space.run(
      'ip',
      'neigh',
      'add',
      '10.32.0.99',
      'lladdr',
      far,
      'dev',
      bridge,
      'nud',
      'permanent',
    )
    await settleBoth()
    const forwarding = await left.space.run('bridge', 'fdb', 'show', 'dev', tunnel)
    const neighbours = await left.space.run('ip', 'neigh', 'show', 'dev', bridge)
    expect(forwarding).toContain(`${far} dst ${underlayOf(2)} self`)
    expect(forwarding).not.toContain('02:00:00:00:00:99')
    expect(neighbours).toContain('10.32.0.2 lladdr')
    expect(neighbours).not.toContain('10.32.0.99')
    await left.container.run(...ping, '10.32.0.2')
  })

  test('the host itself takes no part: no address, not even a link-local one, on our links', async () => {
    await settleBoth()
    const [left] = pair()
    for (const link of [bridge, tunnel]) {
      expect(await left.space.run('ip', '-o', 'address', 'show', 'dev', link)).toBe('')
    }
  })

  test('what a container advertises as a router is not taken by the host', async () => {
    await settleBoth()
    const [left] = pair()
    const advertised = { link: 'ethwe0', prefix: 'fd66::' }
    await advertiseRouter(left.container, advertised)
    expect(await taken(left)).toBe('')
    // Where the bridge listens, the same advertisement configures the host, until it is mended.
    await left.space.run('sysctl', '-qw', `net.ipv6.conf.${bridge}.accept_ra=1`)
    await advertiseRouter(left.container, advertised)
    expect(await taken(left)).toContain('fd66::')
    await settleBoth()
    await left.space.run('ip', '-6', 'address', 'flush', bridge)
    await left.space.run('ip', '-6', 'route', 'flush', 'dev', bridge)
    await advertiseRouter(left.container, advertised)
    expect(await taken(left)).toBe('')
  })

  test('on a host with IPv6 switched off by default, neighbours are answered all the same', async () => {
    const [left] = pair()
    await left.space.run('ip', 'link', 'del', bridge)
    await left.space.run('sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1')
    await settleBoth()
    expect(await left.space.run('ip', '-6', 'neigh', 'show', 'dev', bridge)).toContain('fd00::2')
    expect(await left.space.run('ip', '-6', 'address', 'show', 'dev', bridge)).toBe('')
    await left.container.run(...ping, 'fd00::2')
  })

  test('a reset removes every link of ours, and nobody else’s', async () => {
    await settleBoth()
    const [left] = pair()
    await left.space.run('ip', 'link', 'add', 'wvlab0', 'type', 'bridge')
    expect(await removeAllLinks(left.space.socket)).toBe(3)
    const links = await left.space.run('ip', '-br', 'link')
    expect(links).not.toMatch(/wv[bxhc][0-9a-f]/)
    expect(links).toContain('wvlab0')
  })
})
