import { Command } from 'commander'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fault } from '../model/fault.ts'
import { addLaunchOptions, launchFlags, readLaunchOptions, readPeer } from './launch.ts'
import type { LaunchSettings } from './launch.ts'
import { formatStoredSettings, parseStoredSettings } from './stored.ts'

test('nothing given means the defaults', () => {
  expect(read()).toEqual({ peers: [], port: 6783, logLevel: 'info', restart: true })
})

test('a flag may be joined to its value by "=" or by a space', () => {
  expect(read('--port=7000', 'host1')).toEqual(read('--port', '7000', 'host1'))
})

test('every flag ends up where it belongs', () => {
  const settings = read(
    '--cluster-store=etcd://a,B:1234,[fd00::1]/one/two/',
    '--name=host-1',
    '--nickname=Küche 2',
    '--host=10.0.0.1',
    '--port=7000',
    '--mtu=1400',
    '--no-dns',
    '--dns-domain=Example.Internal.',
    '--dns-ttl=0',
    '--dns-listen-address=fd00:0::1',
    '--log-level=debug',
    '--no-restart',
    '--run-as=process',
    'Host1',
    'fd00:0::2',
    '[fd00::2]:6783',
  )
  expect(settings).toEqual({
    peers: ['host1', '[fd00::2]', '[fd00::2]:6783'],
    clusterStore: { endpoints: ['a:2379', 'b:1234', '[fd00::1]:2379'], prefix: '/one/two' },
    name: 'host-1',
    nickname: 'Küche 2',
    address: '10.0.0.1',
    port: 7000,
    mtuBytes: 1400,
    dns: false,
    dnsDomain: 'example.internal',
    dnsTtlSeconds: 0,
    dnsListenAddress: 'fd00::1',
    logLevel: 'debug',
    restart: false,
    runAs: 'process',
  })
})

test('a peer given twice counts once, and --advertise is --host', () => {
  expect(read('host1', 'HOST1', 'host1.').peers).toEqual(['host1'])
  expect(read('--advertise=10.0.0.1')).toEqual(read('--host=10.0.0.1'))
  expect(faultOf('--advertise=10.0.0.1', '--host=10.0.0.2').remedy).toContain('--host=10.0.0.2')
})

test.each([
  ['--port=0', '--port', '1'],
  ['--port=65533', '--port', '65532'],
  ['--port=-1', '--port', 'Nearest: 1'],
  ['--port=6783x', '--port', '65532'],
  ['--port=', '--port', '65532'],
  ['--mtu=575', '--mtu', '576'],
  ['--mtu=65536', '--mtu', '65535'],
  ['--mtu=1e3', '--mtu', '576'],
  ['--dns-domain=weave..local', '--dns-domain', 'weave.local'],
  ['--dns-ttl=3601', '--dns-ttl', 'Nearest: 3600'],
  [
    '--dns-listen-address=127.0.0.1:53',
    '--dns-listen-address',
    'Nearest: --dns-listen-address=127.0.0.1',
  ],
  ['--dns-listen-address=localhost', '--dns-listen-address', 'or none'],
  ['--log-level=warn', '--log-level', 'warning'],
  ['--log-level=', '--log-level', 'info'],
  ['--run-as=docker', '--run-as', 'container'],
  ['--run-as=proces', '--run-as', 'process'],
  ['--name=Host 1', '--name', 'host-1'],
  ['--name=', '--name', 'lower-case'],
  [`--nickname=${'x'.repeat(64)}`, '--nickname', `Nearest: ${'x'.repeat(63)}`],
  ['--nickname=', '--nickname', '1 to 63'],
  ['--nickname=a\nb', '--nickname', 'Nearest: ab'],
  ['--host=host1', '--host', 'not a name'],
  ['--host=10.0.0.1/24', '--host', '--host=10.0.0.1'],
  ['--host=[fd00::1]', '--host', '--host=fd00::1'],
  ['--advertise=10.0.0.256', '--advertise', 'IP address'],
  ['http://host1:80', 'peer', 'Leave the scheme away: host1:80'],
  ['', 'peer', 'host1'],
  ['host1:0', 'peer', '1 to 65535'],
  ['host1:65536', 'peer', '1 to 65535'],
  ['host1:', 'peer', 'host1:6783'],
  ['host 1', 'peer', 'HOST'],
  ['fd00::1:99999', 'peer', 'brackets'],
  ['fe80::1%eth0', 'peer', 'link-local'],
  ['[10.0.0.1]:6783', 'peer', 'HOST'],
  ['10.0.0.256', 'peer', 'HOST'],
  ['--cluster-store=a:2379', '--cluster-store', 'etcd://a:2379'],
  ['--cluster-store=ectd://a', '--cluster-store', 'Did you mean etcd://a'],
  ['--cluster-store=consul://a', '--cluster-store', 'Only etcd'],
  ['--cluster-store=etcd://', '--cluster-store', 'host name'],
  ['--cluster-store=etcd://a,,b', '--cluster-store', 'host name'],
  ['--cluster-store=etcd://fd00::1:2379:x', '--cluster-store', 'brackets'],
  ['--cluster-store=etcd://a/..', '--cluster-store', 'prefix'],
  ['--cluster-store=etcd://a/a//b', '--cluster-store', 'prefix'],
  ['--cluster-store=etcd://a/a b', '--cluster-store', 'prefix'],
])('%s is refused, naming %s and what would be right', (argument, flag, right) => {
  const fault = faultOf(argument)
  expect(fault).toMatchObject({ code: 'BAD_ARGUMENT', exit: 64 })
  expect(fault.message).toContain(flag)
  expect(fault.remedy).toContain(right)
})

test('a peer without a port is asked on the usual one', () => {
  expect(readPeer('host1')).toEqual({ host: 'host1', port: 6783 })
  expect(readPeer('[fd00::1]:7000')).toEqual({ host: 'fd00::1', port: 7000 })
})

test('settings survive the way through flags and through the file', () => {
  fc.assert(
    fc.property(launchSettingsArbitrary(), (settings) => {
      expect(read(...launchFlags(settings))).toEqual(settings)
      expect(parseStoredSettings(formatStoredSettings(settings))).toEqual({
        kind: 'settings',
        settings,
      })
    }),
  )
})

test.each([
  ['', 'not JSON'],
  ['{"version":1', 'not JSON'],
  ['[]', 'file'],
  ['{"version":2,"launch":{}}', 'version'],
  ['{"version":1,"launch":{"peers":["http://a"],"port":1}}', 'launch.peers.0'],
  [formatStoredSettings({ ...read(), port: 70_000 }), 'launch.port'],
])('the stored text %j is broken, and it says where', (text, where) => {
  const stored = parseStoredSettings(text)
  expect(stored.kind === 'broken' ? stored.problem : '').toContain(where)
})

test('any text at all is read or described, never thrown at', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parseStoredSettings(text).kind).toBe('broken')
    }),
  )
})

function read(...argv: string[]): LaunchSettings {
  const command = addLaunchOptions(new Command('launch').argument('[peer...]')).exitOverride()
  command.parse(argv, { from: 'user' })
  return readLaunchOptions(command.opts(), command.args)
}

function faultOf(...argv: string[]): Fault {
  try {
    read(...argv)
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

function launchSettingsArbitrary(): fc.Arbitrary<LaunchSettings> {
  const port = fc.integer({ min: 1, max: 65_535 })
  const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/)
  const host = fc.oneof(label, fc.ipV4(), fc.constantFrom('[fd00::1]', '[::1]', '[fe80::a:b]'))
  const endpoint = fc.tuple(host, port).map(([name, number]) => `${name}:${number}`)
  const store = fc.record({
    endpoints: fc.uniqueArray(endpoint, { minLength: 1, maxLength: 3 }),
    prefix: fc.stringMatching(/^(\/[a-z0-9]{1,5}){0,3}$/),
  })
  return fc
    .record(
      {
        peers: fc.uniqueArray(fc.oneof(host, endpoint), { maxLength: 3 }),
        clusterStore: store,
        name: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/),
        nickname: fc.stringMatching(/^[^\p{Cc}]{1,31}$/u),
        address: fc.ipV4(),
        port: fc.integer({ min: 1, max: 65_532 }),
        mtuBytes: fc.integer({ min: 576, max: 65_535 }),
        dns: fc.constant(false),
        dnsDomain: fc.constantFrom('weave.local', 'example'),
        dnsTtlSeconds: fc.nat(3600),
        dnsListenAddress: fc.constantFrom('none', '127.0.0.2', 'fd00::1'),
        logLevel: fc.constantFrom('debug', 'info', 'warning', 'error'),
        restart: fc.boolean(),
        runAs: fc.constantFrom('systemd', 'container', 'process'),
      },
      { requiredKeys: ['peers', 'port', 'logLevel', 'restart'] },
    )
    .map((settings) => settings as LaunchSettings)
}
