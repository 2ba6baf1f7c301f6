/** The plugin as dockerd sees it: real socket, real control server, a router in memory behind it. */

import { readFile, stat } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { must } from '../../test/support/memory-router.ts'
import { createPluginLab } from '../../test/support/plugin-lab.ts'
import type { PluginLab } from '../../test/support/plugin-lab.ts'
import { isEndpointId, isNetworkId } from '../model/cluster.ts'
import { storeUnreachable } from '../model/faults.ts'

const networkId = must(
  isNetworkId,
  'd76cfa51738e8a12c5eca71ee69e9d65010a4b48eaad74adab439be7e61b9aaf',
)
const endpointId = must(
  isEndpointId,
  'b76cfa51738e8a12c5eca71ee69e9d65010a4b48eaad74adab439be7e61b9aaf',
)
const other = must(isEndpointId, 'c76cfa51738e8a12c5eca71ee69e9d65010a4b48eaad74adab439be7e61b9aaf')

const network = {
  NetworkID: networkId,
  Options: {
    'com.docker.network.enable_ipv6': false,
    'com.docker.network.generic': {},
  },
  IPv4Data: [{ AddressSpace: 'GlobalDefault', Pool: '10.44.0.0/16', Gateway: '10.44.0.1/16' }],
  IPv6Data: [],
}

const ids = { NetworkID: networkId, EndpointID: endpointId }

const endpoint = {
  ...ids,
  Interface: { Address: '10.44.0.2/16', AddressIPv6: '', MacAddress: '' },
  Options: {
    'com.docker.network.endpoint.exposedports': [{ Proto: 6, Port: 80 }],
    'com.docker.network.portmap': [],
  },
}

const join = { ...ids, SandboxKey: '/var/run/docker/netns/1a2b3c4d5e6f', Options: {} }

describe('the handshake', () => {
  test('is answered while there is no router', async () => {
    await using lab = await createPluginLab()
    await lab.startPlugin('global')

    expect(await lab.dockerd.call('Plugin.Activate')).toEqual({
      Implements: ['NetworkDriver', 'IpamDriver'],
    })
    expect(await lab.dockerd.call('NetworkDriver.GetCapabilities')).toEqual({
      Scope: 'global',
      ConnectivityScope: 'global',
    })
    expect(await lab.dockerd.call('NetworkDriver.EndpointOperInfo', ids)).toEqual({ Value: {} })
  })

  test('says local where that was decided', async () => {
    await using lab = await createPluginLab()
    await lab.startPlugin('local')

    expect(await lab.dockerd.call('NetworkDriver.GetCapabilities')).toMatchObject({
      Scope: 'local',
    })
  })
})

describe('sequences of calls', () => {
  test('a network made, a container started and stopped, the network removed', async () => {
    await using lab = await start()

    expect(await lab.dockerd.call('NetworkDriver.CreateNetwork', network)).toEqual({})
    expect(await lab.dockerd.call('NetworkDriver.CreateEndpoint', endpoint)).toEqual({
      Interface: { MacAddress: '02:42:0a:20:00:02' },
    })
    expect(await lab.dockerd.call('NetworkDriver.Join', join)).toEqual({
      InterfaceName: { SrcName: 'wvcb76cfa51738e', DstPrefix: 'ethwe' },
      StaticRoutes: [],
    })
    for (const method of ['EndpointOperInfo', 'Leave', 'DeleteEndpoint']) {
      await lab.dockerd.call(`NetworkDriver.${method}`, ids)
    }
    expect(await lab.dockerd.call('NetworkDriver.DeleteNetwork', { NetworkID: networkId })).toEqual(
      {},
    )

    expect(lab.router.calls).toEqual([
      `put-network ${networkId}`,
      `put-endpoint ${endpointId}`,
      `join-endpoint ${endpointId}`,
      `leave-endpoint ${endpointId}`,
      `delete-endpoint ${endpointId}`,
      `delete-network ${networkId}`,
    ])
  })

  test('every call twice has the same result', async () => {
    await using lab = await start()
    const calls = [
      ['CreateNetwork', network],
      ['CreateEndpoint', endpoint],
      ['Join', join],
      ['ProgramExternalConnectivity', { ...ids, Options: {} }],
      ['RevokeExternalConnectivity', ids],
      ['Leave', ids],
      ['DeleteEndpoint', ids],
      ['DeleteNetwork', { NetworkID: networkId }],
    ] as const

    for (const [method, argument] of calls) {
      const first = await lab.dockerd.call(`NetworkDriver.${method}`, argument)
      expect(await lab.dockerd.call(`NetworkDriver.${method}`, argument)).toEqual(first)
    }
    expect([lab.router.networks.size, lab.router.endpoints.size]).toEqual([0, 0])
  })

  test('an endpoint in a network that was created on another host', async () => {
    await using lab = await start()

    await lab.dockerd.call('NetworkDriver.CreateEndpoint', endpoint)

    expect(lab.router.endpoints.get(endpointId)?.spec.network).toBe(networkId)
  })

  test('the end of things that were never begun: Leave, DeleteEndpoint and DeleteNetwork', async () => {
    await using lab = await start()

    expect(await lab.dockerd.call('NetworkDriver.DeleteEndpoint', ids)).toEqual({})
    expect(await lab.dockerd.call('NetworkDriver.Leave', ids)).toEqual({})
    expect(await lab.dockerd.call('NetworkDriver.DeleteNetwork', { NetworkID: networkId })).toEqual(
      {},
    )
  })

  test('Join for an endpoint that is unknown is an error, and not a 404', async () => {
    await using lab = await start()

    const { status, text } = await lab.dockerd.send('/NetworkDriver.Join', JSON.stringify(join))

    expect(status).toBe(500)
    expect(JSON.parse(text)).toEqual({ Err: expect.any(String), Error: expect.any(String) })
  })

  test('a network made again with changed options is updated', async () => {
    await using lab = await start()
    await lab.dockerd.call('NetworkDriver.CreateNetwork', network)

    await lab.dockerd.call('NetworkDriver.CreateNetwork', {
      ...network,
      Options: {
        'com.docker.network.internal': true,
        'com.docker.network.generic': {
          'com.docker.network.driver.mtu': '1400',
          'works.weave.multicast': '',
        },
      },
    })
    await lab.dockerd.call('NetworkDriver.CreateEndpoint', endpoint)

    expect(lab.router.networks.get(networkId)).toEqual({
      subnets: ['10.44.0.0/16'],
      mtuBytes: 1400,
      multicast: true,
    })
    expect(await lab.dockerd.call('NetworkDriver.Join', join)).toMatchObject({
      StaticRoutes: [{ Destination: '224.0.0.0/4', RouteType: 1 }],
    })
  })

  test('what the request had set is never in the reply', async () => {
    await using lab = await start()
    const asked = { ...endpoint.Interface, MacAddress: '02:42:AC:11:00:09' }

    const reply = await lab.dockerd.call('NetworkDriver.CreateEndpoint', {
      ...endpoint,
      Interface: asked,
      Options: { 'com.docker.network.endpoint.macaddress': 'AkKsEQAJ' },
    })

    expect(reply).toEqual({})
    expect(lab.router.endpoints.get(endpointId)).toMatchObject({
      mac: '02:42:ac:11:00:09',
      spec: { addresses: ['10.44.0.2/16'] },
    })
  })

  test('swarm gets its options back, and calls that change nothing are answered', async () => {
    await using lab = await start()

    expect(
      await lab.dockerd.call('NetworkDriver.AllocateNetwork', {
        NetworkID: 'x3k',
        Options: { a: 'b' },
        IPv4Data: null,
      }),
    ).toEqual({ Options: { a: 'b' } })
    expect(await lab.dockerd.call('NetworkDriver.GwAllocCheck', { Options: {} })).toEqual({
      SkipIPv4: false,
      SkipIPv6: false,
    })
  })

  test('nodes that Docker finds are told of, once each is one; nothing else is', async () => {
    await using lab = await start()
    const found = { Address: '10.0.0.2', BindAddress: '10.0.0.2', Self: false }

    for (const [type, data] of [
      [1, found],
      [1, { ...found, Address: '10.0.0.1', Self: true }],
      [2, { Keys: ['secret'] }],
      [1, { ...found, Address: 'nowhere' }],
      [1, null],
    ]) {
      const argument = { DiscoveryType: type, DiscoveryData: data }
      expect(await lab.dockerd.call('NetworkDriver.DiscoverNew', argument)).toEqual({})
      expect(await lab.dockerd.call('NetworkDriver.DiscoverDelete', argument)).toEqual({})
    }

    expect(lab.nodes).toEqual([
      { address: '10.0.0.2', isSelf: false },
      { address: '10.0.0.1', isSelf: true },
    ])
  })

  test("a node that has no use for the swarm's network leaves it to the others; its manager removes it", async () => {
    await using lab = await start()
    const NetworkID = 'kcnhs67njfwzj5tnof7fwykli'
    await lab.dockerd.call('NetworkDriver.CreateNetwork', { ...network, NetworkID })

    await lab.dockerd.call('NetworkDriver.DeleteNetwork', { NetworkID })
    expect(lab.router.networks.size).toBe(1)

    await lab.dockerd.call('NetworkDriver.FreeNetwork', { NetworkID })
    expect(lab.router.networks.size).toBe(0)
  })

  test('fifty at once are all answered', async () => {
    await using lab = await start()
    const many = Array.from({ length: 50 }, (_, index) => ({
      ...endpoint,
      EndpointID: `e${index}`,
    }))

    await Promise.all(many.map((one) => lab.dockerd.call('NetworkDriver.CreateEndpoint', one)))

    expect(lab.router.endpoints.size).toBe(50)
    expect(lab.dockerd.idleConnections()).toBe(2)
  })
})

describe('what is wrong is refused, and changes nothing', () => {
  const needBody = [
    'CreateNetwork',
    'DeleteNetwork',
    'CreateEndpoint',
    'Join',
    'Leave',
    'DeleteEndpoint',
    'AllocateNetwork',
    'FreeNetwork',
    'DiscoverNew',
  ]

  test.each(needBody)('%s repeated with an empty body', async (method) => {
    await using lab = await start()

    const { status, text } = await lab.dockerd.send(`/NetworkDriver.${method}`, '')

    expect(status).toBe(400)
    expect(JSON.parse(text)).toEqual({
      Err: expect.stringContaining('the body is empty'),
      Error: expect.stringContaining('the body is empty'),
    })
    expect(lab.router.calls).toEqual([])
  })

  test.each([
    ['CreateNetwork', '{'],
    ['CreateNetwork', 'null'],
    ['CreateNetwork', '{}'],
    ['CreateNetwork', '{"NetworkID":""}'],
    ['CreateNetwork', JSON.stringify({ ...network, IPv4Data: [{ Pool: 'ten' }] })],
    ['CreateNetwork', JSON.stringify({ ...network, Options: 'none' })],
    ['DeleteNetwork', '{"NetworkID":""}'],
    ['DeleteNetwork', '{"NetworkID":["a"]}'],
    ['CreateEndpoint', JSON.stringify({ ...endpoint, EndpointID: 'a/b' })],
    ['CreateEndpoint', JSON.stringify({ ...endpoint, Interface: { Address: '10.1.2.3' } })],
    ['CreateEndpoint', JSON.stringify({ ...endpoint, Interface: { MacAddress: 'x' } })],
    ['CreateEndpoint', JSON.stringify({ ...endpoint, Interface: [] })],
    ['Join', JSON.stringify({ ...join, SandboxKey: 1 })],
    ['Leave', '[]'],
    ['DeleteEndpoint', Buffer.from([0xff, 0xfe])],
  ])('%s with %s', async (method, body) => {
    await using lab = await start()

    const { status, text } = await lab.dockerd.send(`/NetworkDriver.${method}`, body)

    expect(status).toBe(400)
    expect(JSON.parse(text)).toEqual({ Err: expect.any(String), Error: expect.any(String) })
    expect(lab.router.calls).toEqual([])
  })

  test('a huge body', async () => {
    await using lab = await start()

    const { status, text } = await lab.dockerd.send(
      '/NetworkDriver.CreateNetwork',
      'x'.repeat(3 << 20),
    )

    expect([status, text]).toEqual([413, expect.stringContaining('longer than 1048576 bytes')])
  })

  test('a method that does not exist is a 404, which dockerd takes for "not implemented"', async () => {
    await using lab = await start()

    expect((await lab.dockerd.send('/NetworkDriver.Fly', '{}')).status).toBe(404)
    expect((await lab.dockerd.send('/IpamDriver.Fly', '')).status).toBe(404)
  })

  test('an option of ours that is misspelt', async () => {
    await using lab = await start()

    await expect(
      lab.dockerd.call('NetworkDriver.CreateNetwork', {
        ...network,
        Options: { 'com.docker.network.generic': { 'works.weave.multicats': '' } },
      }),
    ).rejects.toThrow('did you mean works.weave.multicast?')
    expect(lab.router.calls).toEqual([])
  })
})

describe('keys in any case, nulls and missing fields', () => {
  test('are read as Go reads them', async () => {
    await using lab = await start()

    await lab.dockerd.call('NetworkDriver.CreateNetwork', {
      networkid: networkId,
      options: null,
      ipv4data: null,
    })
    await lab.dockerd.call('NetworkDriver.CreateEndpoint', { ...ids, Interface: null })

    expect(lab.router.networks.get(networkId)).toEqual({ subnets: [], multicast: false })
    expect(lab.router.endpoints.get(endpointId)?.spec.addresses).toEqual([])
  })
})

describe('a router that is away', () => {
  test('and comes back in time is not noticed', async () => {
    await using lab = await createPluginLab()
    await lab.startPlugin()

    const early = lab.dockerd.call('NetworkDriver.CreateNetwork', network)
    await sleep(250)
    await lab.startRouter()

    expect(await early).toEqual({})
  })

  test('and fails says so with its own words and remedy', async () => {
    await using lab = await start()
    const fault = storeUnreachable(['http://192.0.2.9:2379'], 'no route')
    lab.router.hook = () => Promise.reject(fault)

    await expect(lab.dockerd.call('NetworkDriver.CreateNetwork', network)).rejects.toThrow(
      `${fault.message}. ${fault.remedy} [STORE_UNREACHABLE]`,
    )
  })

  test('when a network is removed: the removal is made up for', async () => {
    await using lab = await createPluginLab()
    const server = await lab.startRouter()
    await lab.startPlugin('global', { WEAVE_ORPHAN_INTERVAL_MS: '50' })
    await lab.startEngine()
    await lab.dockerd.call('NetworkDriver.CreateNetwork', network)
    lab.router.hook = () => Promise.reject(storeUnreachable([], 'away'))

    expect(await lab.dockerd.call('NetworkDriver.DeleteNetwork', { NetworkID: networkId })).toEqual(
      {},
    )
    expect(lab.router.networks.size).toBe(1)
    lab.router.hook = async () => {}

    await expect.poll(() => lab.router.networks.size).toBe(0)
    await server.drain({ graceMs: 0 })
  })
})

describe('the socket', () => {
  test('is gone after a drain, and what was under way is finished', async () => {
    await using lab = await createPluginLab()
    await lab.startRouter()
    const plugin = await lab.startPlugin()
    lab.router.hook = () => sleep(150)
    const early = lab.dockerd.call('NetworkDriver.CreateEndpoint', endpoint)
    await expect.poll(() => lab.router.calls.length).toBe(1)

    const stopped = plugin.stop()
    await expect.poll(() => stat(lab.socket).catch(() => 'gone')).toBe('gone')

    expect(await early).toMatchObject({ Interface: {} })
    await stopped
    expect(lab.router.endpoints.has(endpointId)).toBe(true)
  })

  test('is refused to a second plugin, whose first goes on', async () => {
    await using lab = await start()

    await expect(lab.startPlugin()).rejects.toMatchObject({ code: 'SOCKET_IN_USE' })
    expect(await lab.dockerd.call('Plugin.Activate')).toBeDefined()
  })

  test('serves again after a restart, on connections that were kept', async () => {
    await using lab = await createPluginLab()
    await lab.startRouter()
    const plugin = await lab.startPlugin()
    await lab.dockerd.call('NetworkDriver.CreateEndpoint', endpoint)
    await plugin.stop()
    await lab.startPlugin()

    await lab.dockerd.call('NetworkDriver.DeleteEndpoint', ids)
    expect(lab.router.endpoints.size).toBe(0)
  })

  test('does not tire of an idle connection', async () => {
    await using lab = await start()
    const connection = net.connect(lab.socket)
    await sleep(100)
    connection.write('POST /Plugin.Activate HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n')
    const [heard] = await new Promise<Buffer[]>((resolve) => {
      connection.once('data', (chunk: Buffer) => {
        resolve([chunk])
      })
    })
    connection.destroy()

    expect(heard?.toString()).toContain('NetworkDriver')
  })
})

describe('local scope', () => {
  const local = {
    ...network,
    IPv4Data: [{ AddressSpace: 'weave-local', Pool: '10.44.0.0/16' }],
  }

  test('one subnet is one network of the cluster, and is remembered across a restart', async () => {
    await using lab = await createPluginLab()
    await lab.startRouter()
    const plugin = await lab.startPlugin('local')
    await lab.dockerd.call('NetworkDriver.CreateNetwork', local)
    await plugin.stop()
    await lab.startPlugin('local')

    await lab.dockerd.call('NetworkDriver.CreateEndpoint', endpoint)

    expect(lab.router.endpoints.get(endpointId)?.spec.network).toBe('10.44.0.0-16')
  })

  test("Docker's own address management is refused with the command that works", async () => {
    await using lab = await start('local')
    const bare = { ...local, IPv4Data: [{ AddressSpace: 'LocalDefault', Pool: '10.44.0.0/16' }] }

    const error = await lab.dockerd
      .call('NetworkDriver.CreateNetwork', bare)
      .catch((caught: unknown) => String(caught))

    expect(error).toContain('docker network create --driver=weave --ipam-driver=weave NAME')
    expect(error).toContain('[LOCAL_IPAM]')
    expect(lab.router.calls).toEqual([])
  })

  test('a network is removed from the cluster only by the last who uses it', async () => {
    await using lab = await start('local')
    await lab.dockerd.call('NetworkDriver.CreateNetwork', local)
    await lab.dockerd.call('NetworkDriver.CreateEndpoint', { ...endpoint, EndpointID: other })
    const remote = lab.router.endpoints.get(other)
    if (remote !== undefined) remote.local = false

    await lab.dockerd.call('NetworkDriver.DeleteNetwork', { NetworkID: networkId })
    expect(lab.router.networks.size).toBe(1)

    lab.router.endpoints.clear()
    await lab.dockerd.call('NetworkDriver.CreateNetwork', local)
    await lab.dockerd.call('NetworkDriver.DeleteNetwork', { NetworkID: networkId })
    expect(lab.router.networks.size).toBe(0)
  })

  test('a second network of this engine in one segment is refused; the same one again is not', async () => {
    await using lab = await start('local')
    await lab.dockerd.call('NetworkDriver.CreateNetwork', local)
    await lab.dockerd.call('NetworkDriver.CreateNetwork', local)
    const second = { ...local, NetworkID: other }

    await expect(lab.dockerd.call('NetworkDriver.CreateNetwork', second)).rejects.toThrow(
      /10\.44\.0\.0-16 is already Docker network d76cfa51738e .*\[SEGMENT_TAKEN\]/,
    )

    await lab.dockerd.call('NetworkDriver.DeleteNetwork', { NetworkID: networkId })
    await lab.dockerd.call('NetworkDriver.CreateNetwork', second)
  })

  test('the router is told of the driver, and of its scope', async () => {
    await using lab = await start('local')

    await expect.poll(() => [...lab.router.drivers]).toEqual([['weave', 'local']])
  })

  test('what the engine has and the file has lost is learned again', async () => {
    await using lab = await createPluginLab()
    await lab.startRouter()
    const IPAM = { Driver: 'weave', Config: [{ Subnet: '10.44.0.0/16' }] }
    const there = { Id: networkId, Name: 'web', Driver: 'weave', Scope: 'local', IPAM }
    lab.engine.set('/networks', [there])
    await lab.startEngine()
    await lab.startPlugin('local')

    await expect.poll(() => lab.log.join('')).toContain('other networks than it told us of')
    await lab.dockerd.call('NetworkDriver.CreateEndpoint', endpoint)

    expect(lab.router.endpoints.get(endpointId)?.spec.network).toBe('10.44.0.0-16')
  })

  test('a network of which the record is lost is an error that says what to do', async () => {
    await using lab = await start('local')

    await expect(lab.dockerd.call('NetworkDriver.CreateEndpoint', endpoint)).rejects.toThrow(
      'docker network rm d76cfa51738e',
    )
  })
})

describe('scope auto', () => {
  test('is global where the engine has a cluster store, and remembered when it is away', async () => {
    await using lab = await createPluginLab()
    lab.engine.set('/info', { ServerVersion: '20.10.24', ClusterStore: 'etcd://10.0.0.1:2379' })
    await lab.startEngine()
    const first = await lab.startPlugin('auto')
    await first.stop()
    const away = { DOCKER_HOST: `unix://${lab.directory}/nobody.sock` }
    const second = await lab.startPlugin('auto', away)

    expect([first.scope, second.scope]).toEqual(['global', 'global'])
    expect(lab.log.join('')).toContain('as it was the last time')
    const file = path.join(lab.directory, 'state', 'plugins', 'weave.json')
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ scope: 'global' })
  })

  test('is local where it has none', async () => {
    await using lab = await createPluginLab()
    lab.engine.set('/info', { ServerVersion: '26.1.5' })
    await lab.startEngine()

    expect((await lab.startPlugin('auto')).scope).toBe('local')
  })
})

const quick = { WEAVE_ORPHAN_INTERVAL_MS: '30', WEAVE_ORPHAN_AGE_MS: '1' }

describe('a network that the swarm has removed while the plugin was away', () => {
  const gone = 'kcnhs67njfwzj5tnof7fwykli'
  const there = 'v7spz76lefklj3eyrzzud2fvw'

  async function startInSwarm(isManager: boolean): Promise<PluginLab> {
    const lab = await createPluginLab()
    await lab.startRouter()
    lab.engine.set('/info', { Swarm: { LocalNodeState: 'active', ControlAvailable: isManager } })
    lab.engine.set('/networks', [{ Id: there, Name: 'there', Driver: 'weave:latest', IPAM: {} }])
    lab.engine.set('/containers/json', [])
    await lab.startEngine()
    await lab.startPlugin('global', quick)
    for (const NetworkID of [gone, there, networkId]) {
      await lab.dockerd.call('NetworkDriver.CreateNetwork', { ...network, NetworkID })
    }
    return lab
  }

  test('is removed by a manager; what the swarm has or never had stays', async () => {
    await using lab = await startInSwarm(true)

    await expect.poll(() => [...lab.router.networks.keys()]).toEqual([there, networkId])
    expect(lab.log.join('')).toContain('the swarm has removed')
  })

  test('is left alone by a worker, which knows only what it uses', async () => {
    await using lab = await startInSwarm(false)

    await sleep(250)

    expect(lab.router.networks.size).toBe(3)
  })

  test('is left alone while a container is on it', async () => {
    await using lab = await startInSwarm(true)
    lab.engine.set('/containers/json', [
      {
        Id: 'c',
        NetworkSettings: { Networks: { n: { NetworkID: gone, EndpointID: endpointId } } },
      },
    ])
    await lab.dockerd.call('NetworkDriver.CreateNetwork', { ...network, NetworkID: gone })
    await lab.dockerd.call('NetworkDriver.CreateEndpoint', { ...endpoint, NetworkID: gone })

    await sleep(250)

    expect([...lab.router.networks.keys()]).toContain(gone)
  })
})

describe('orphans', () => {
  test('an endpoint that no container claims is removed, a claimed one stays', async () => {
    await using lab = await createPluginLab()
    await lab.startRouter()
    const attachment = { NetworkID: networkId, EndpointID: endpointId }
    lab.engine.set('/containers/json', [
      { Id: 'c', NetworkSettings: { Networks: { weave: attachment } } },
    ])
    await lab.startEngine()
    await lab.startPlugin('global', quick)
    await lab.dockerd.call('NetworkDriver.CreateEndpoint', endpoint)
    await lab.dockerd.call('NetworkDriver.CreateEndpoint', { ...endpoint, EndpointID: other })

    await expect.poll(() => [...lab.router.endpoints.keys()]).toEqual([endpointId])
    expect(lab.log.join('')).toContain('whose container is gone')
  })

  test('nothing is removed while the engine is away', async () => {
    await using lab = await createPluginLab()
    await lab.startRouter()
    await lab.startPlugin('global', quick)
    await lab.dockerd.call('NetworkDriver.CreateEndpoint', endpoint)

    await sleep(250)

    expect(lab.router.endpoints.size).toBe(1)
  })
})

async function start(scope: 'global' | 'local' = 'global'): Promise<PluginLab> {
  const lab = await createPluginLab()
  await lab.startRouter()
  await lab.startPlugin(scope)
  return lab
}
