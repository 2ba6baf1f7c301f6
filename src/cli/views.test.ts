import { expect, test } from 'vitest'
import { status } from '../control/messages.ts'
import type { Status } from '../control/messages.ts'
import { describeLaunch } from './launched.ts'
import { viewDns, viewEndpoints, viewNetworks, viewPeers, viewStore, viewSummary } from './views.ts'

test('the summary begins with what is wrong', () => {
  const text = viewSummary(
    sample({
      ready: false,
      warnings: ['identity.json was set aside'],
      store: {
        ...sample().store,
        connected: false,
        problem: 'timeout',
        foreignKeys: ['/weave/v1/x'],
      },
    }),
    [],
  )
  expect(text.split('\n').slice(0, 3)).toEqual([
    'warning: identity.json was set aside',
    'warning: 1 foreign key in the store is ignored: see "weave status store"',
    'state      not ready: waiting for the store: timeout',
  ])
})

test('the summary of a healthy host is short', () => {
  expect(viewSummary(sample(), [])).toBe(
    `
state      ready
host       host1 (a1)
underlay   10.99.0.2, TCP 6783, UDP 6784, container MTU 1450
router     0.1.0, kept up as systemd (pid 7), since 2026-01-01T00:00:00Z
store      managed etcd on 10.99.0.2:6785, connected
hosts      1
networks   1
endpoints  1 here, 0 on other hosts
names      0 known, under weave.local; 0 containers are answered
target     links settled, 3 passes, 0 repairs`.trimStart(),
  )
})

test('peers, networks, endpoints and store are tables', () => {
  expect(viewPeers(sample())).toBe(
    'HOST               ID  ADDRESS    VERSION  ENDPOINTS\nhost1 (this host)  a1  10.99.0.2  0.1.0    1',
  )
  expect(viewNetworks(sample())).toMatch(
    /^n{12} +- +- +7 +10\.32\.0\.0\/12 +1450 +no +1 +0 +wvb7$/m,
  )
  expect(viewEndpoints(sample())).toMatch(
    /^e{12} +n{12} +10\.32\.0\.1 +02:00:00:00:00:01 +host1 \(this host\) +joined +-$/m,
  )
  expect(viewStore(sample())).toMatch(/^cluster +c1$/m)
  expect(viewNetworks(sample({ networks: [] }))).toContain('docker network create')
  expect(viewEndpoints(sample({ endpoints: [] }))).toContain('docker run')
})

test('names are those of containers and those added by hand, which are marked', () => {
  const { endpoints, dns } = sample()
  const [endpoint] = endpoints
  const added = { addresses: [], container: 'c1', host: 'a1', nickname: 'host1', said: true }
  const changes: unknown = {
    endpoints: [{ ...endpoint, names: ['web', 'www'], container: 'c1', networkName: 'front' }],
    dns: {
      ...dns,
      listening: ['127.6.7.83:53'],
      questions: { asked: 7 },
      added: [
        { ...added, name: 'www' },
        { ...added, name: 'vip', addresses: ['10.32.0.9'], network: 'n'.repeat(64) },
        { ...added, name: 'later', container: 'c2', said: false },
        { ...added, name: 'web', container: 'c2', said: false, addresses: ['10.32.0.8'] },
        { ...added, name: 'web', container: 'c3', said: false },
        { ...added, name: 'printer', container: undefined, addresses: ['192.0.2.8'] },
        { ...added, name: 'printer', container: undefined, addresses: ['192.0.2.7'] },
      ],
    },
  }
  const text = viewDns(sample(status.pick({ endpoints: true, dns: true }).parse(changes)))
  expect(text).toBe(
    `
state       answering
domain      weave.local
ttl         1 s
listening   127.6.7.83:53
containers  0
asked       7

NAME     ADDRESSES            NETWORK  CONTAINER  HOST   ADDED
later    -                    (all)    c2         host1  by hand
printer  192.0.2.7 192.0.2.8  (all)    -          host1  by hand
vip      10.32.0.9            front    c1         host1  by hand
web      -                    (all)    c2         host1  by hand
web      -                    (all)    c3         host1  by hand
web      10.32.0.1            front    c1         host1
www      10.32.0.1            front    c1         host1  by hand`.trimStart(),
  )
  const off = sample({ dns: { ...dns, on: false }, endpoints: [] })
  expect(viewDns(off)).toMatch(/^state +off: names are left to Docker[^]*no names$/)
  expect(viewSummary(off, [])).toMatch(/^names +left to Docker/m)
})

test('in local scope, networks have names, states and reasons', () => {
  const web = { driver: 'weave', name: 'web', subnets: ['10.33.0.0/16'] }
  const text = viewNetworks(
    sample({
      definitions: [
        { ...web, network: sample().networks[0]?.id, state: 'leaving', problem: 'still in use' },
        { ...web, name: 'db', state: 'pending' },
      ],
    }),
  )

  expect(text).toMatch(/^n{12} +web +leaving +7 +10\.32\.0\.0\/12 /m)
  expect(text).toMatch(/^- +db +pending +- +10\.33\.0\.0\/16 /m)
  expect(text).toMatch(/^web: still in use$/m)
})

test('a launch says whether it founded or joined, and where the store is', () => {
  expect(describeLaunch(sample(), { cluster: 'founded', warnings: [] })[0]).toBe(
    'host1 (10.99.0.2) founded a cluster (1 host); store: managed etcd on 10.99.0.2:6785',
  )
  const given = sample({ store: { ...sample().store, kind: 'given', prefix: '/p' } })
  expect(describeLaunch(given, { cluster: 'joined', warnings: [] })[0]).toContain(
    'joined the cluster (1 host); store: etcd on 10.99.0.2:6785 under /p',
  )
})

function sample(changes: Partial<Status> = {}): Status {
  const base: unknown = {
    version: '0.1.0',
    ready: true,
    host: {
      id: 'a1',
      nickname: 'host1',
      address: '10.99.0.2',
      controlPort: 6783,
      dataPort: 6784,
      mtuBytes: 1450,
      runAs: 'systemd',
      startedAt: '2026-01-01T00:00:00Z',
      pid: 7,
    },
    cluster: { id: 'c1', peers: [] },
    store: {
      kind: 'managed',
      endpoints: ['10.99.0.2:6785'],
      prefix: '',
      connected: true,
      foreignKeys: [],
      revision: '9',
    },
    peers: [
      {
        id: 'a1',
        nickname: 'host1',
        address: '10.99.0.2',
        controlPort: 6783,
        dataPort: 6784,
        version: '0.1.0',
        self: true,
        endpoints: 1,
      },
    ],
    networks: [
      {
        id: 'n'.repeat(64),
        vni: 7,
        subnets: ['10.32.0.0/12'],
        mtuBytes: 1450,
        multicast: false,
        bridge: 'wvb7',
        localEndpoints: 1,
        remoteEndpoints: 0,
      },
    ],
    endpoints: [
      {
        id: 'e'.repeat(64),
        network: 'n'.repeat(64),
        host: 'a1',
        nickname: 'host1',
        mac: '02:00:00:00:00:01',
        addresses: ['10.32.0.1'],
        local: true,
        names: [],
        phase: 'joined',
      },
    ],
    pools: [],
    dns: {
      on: true,
      domain: 'weave.local',
      ttlSeconds: 1,
      listening: [],
      containers: 0,
      questions: {},
      args: '',
      added: [],
    },
    definitions: [],
    targets: [{ name: 'links', state: 'settled', passes: 3, drift: 0 }],
    warnings: [],
  }
  return { ...status.parse(base), ...changes }
}
