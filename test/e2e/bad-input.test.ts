/** What is not understood is refused in words that help, on both sockets and on the command line, and changes nothing. */

import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSeedLab, ourLinks, pings, readStatus, runContainer } from '../support/cluster.ts'
import { ok } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'
import { send, sendRaw } from '../support/send.ts'

let lab: Lab
let host1: Host
let host2: Host
let before: unknown

beforeAll(async () => {
  lab = await createSeedLab()
  host1 = lab.host(1)
  host2 = lab.host(2)
  await runContainer(host1, 'left')
  await runContainer(host2, 'right')
  before = await everything()
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

/** All that could have been changed: what is known, published, on the disk and in the kernel. */
async function everything(): Promise<unknown> {
  const published = await lab.store.ctl('get', '--prefix', '/weave/v1/')
  const { store, targets: _targets, ...known } = await readStatus(host1)
  return {
    known,
    foreignKeys: store.foreignKeys,
    // A host's routes follow Docker's own bridges, which it makes for the first container.
    published: published.replaceAll(/,"routes":\[[^\]]*\]/g, ''),
    files: await readFiles(),
    links: await ourLinks(host1),
    forwarding: await ok(host1.run('bridge fdb show | grep wv | sort')),
    containers: await ok(host1.docker('ps', '-a', '--format', '{{.ID}} {{.Names}}')),
    networks: await ok(host1.docker('network', 'ls', '--no-trunc')),
  }
}

async function readFiles(): Promise<unknown> {
  const folder = host1.path('/var/lib/weave')
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.\w+$/.test(name))
  const texts = names.map((name) => readFile(path.join(folder, name), 'utf8'))
  return Object.fromEntries(
    (await Promise.all(texts)).map((json, index) => [names[index], JSON.parse(json)]),
  )
}

const id = 'a'.repeat(64)
const net = { NetworkID: 'n'.repeat(64) }
const endpoint = { ...net, EndpointID: id }
const deep = '['.repeat(200_000) + ']'.repeat(200_000)
const huge = JSON.stringify({ ...endpoint, x: 'x'.repeat(2_000_000) })
const group = '01:00:5e:00:00:01'
const twoIpv4 = ['10.0.0.1/8', '10.0.0.2/8']
const plugin = '/run/docker/plugins/weave.sock'
const router = '/run/weave/weave.sock'

function generic(options: unknown): unknown {
  return { ...net, Options: { 'com.docker.network.generic': options } }
}

function withInterface(given: unknown): unknown {
  return { ...endpoint, Interface: given }
}

function driverPath(method: string): string {
  return `/NetworkDriver.${method}`
}

function text(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body)
}

describe('the plugin’s socket', () => {
  test.each([
    ['a body cut short', 'CreateNetwork', '{"NetworkID":', 400, 'not JSON'],
    ['no body', 'CreateNetwork', '', 400, 'empty'],
    ['null', 'CreateNetwork', 'null', 400, 'NetworkID'],
    ['a list', 'CreateNetwork', [], 400, 'object'],
    ['nothing said', 'CreateNetwork', {}, 400, 'NetworkID'],
    ['a number for an ID', 'CreateNetwork', { NetworkID: 7 }, 400, 'NetworkID'],
    ['an empty ID', 'CreateNetwork', { NetworkID: '' }, 400, 'NetworkID'],
    ['a path for an ID', 'CreateNetwork', { NetworkID: '../../etc' }, 400, 'NetworkID'],
    ['an endless ID', 'CreateNetwork', { NetworkID: 'n'.repeat(200) }, 400, 'NetworkID'],
    ['options as a text', 'CreateNetwork', { ...net, Options: 'x' }, 400, 'Options'],
    ['options as a list', 'CreateNetwork', generic([]), 400, 'generic'],
    ['an option that is no text', 'CreateNetwork', generic({ 'weave.mtu': {} }), 400, 'weave.mtu'],
    ['a tiny MTU', 'CreateNetwork', generic({ 'weave.mtu': '12' }), 500, 'weave.mtu'],
    ['an unknown option', 'CreateNetwork', generic({ 'weave.hue': '1' }), 500, 'weave.hue'],
    ['pools as an object', 'CreateNetwork', { ...net, IPv4Data: {} }, 400, 'IPv4Data'],
    [
      'a long prefix',
      'CreateNetwork',
      { ...net, IPv4Data: [{ Pool: '10.0.0.0/99' }] },
      400,
      'Pool',
    ],
    ['a huge body', 'CreateNetwork', huge, 413, 'longer than'],
    ['an abyss', 'CreateNetwork', deep, 400, 'nested'],
    [
      'an abyss to echo',
      'AllocateNetwork',
      `{"NetworkID":"n","Options":{"x":${deep}}}`,
      400,
      'nested',
    ],
    ['no endpoint', 'CreateEndpoint', net, 400, 'EndpointID'],
    ['an interface as a text', 'CreateEndpoint', withInterface('x'), 400, 'Interface'],
    ['no prefix length', 'CreateEndpoint', withInterface({ Address: '10.0.0.1' }), 400, 'Address'],
    ['no address', 'CreateEndpoint', withInterface({ AddressIPv6: 'x/64' }), 400, 'AddressIPv6'],
    ['no MAC', 'CreateEndpoint', withInterface({ MacAddress: 'zz' }), 400, 'MacAddress'],
    ['a group’s MAC', 'CreateEndpoint', withInterface({ MacAddress: group }), 400, 'MacAddress'],
    ['a number for a path', 'Join', { ...endpoint, SandboxKey: 7 }, 400, 'SandboxKey'],
    ['an unknown endpoint', 'Join', { ...endpoint, SandboxKey: '/x' }, 500, 'not known'],
    ['no endpoint', 'Leave', net, 400, 'EndpointID'],
    ['no network', 'DeleteEndpoint', { EndpointID: id }, 400, 'NetworkID'],
    ['null for an ID', 'DeleteNetwork', { NetworkID: null }, 400, 'NetworkID'],
    ['an unknown method', 'Dance', {}, 404, 'unknown path'],
  ])('refuses %s: %s', async (_what, method, body, status, named) => {
    const reply = await send(host1.path(plugin), {
      method: 'POST',
      path: driverPath(method),
      body: text(body),
    })
    const said = expect.stringContaining(named)
    expect(reply).toEqual({ status, body: { Err: said, Error: said } })
  })

  test.each(['Leave', 'DeleteEndpoint', 'DeleteNetwork'])(
    'takes %s of what nobody knows for done',
    async (method) => {
      const reply = await send(host1.path(plugin), {
        method: 'POST',
        path: driverPath(method),
        body: text(endpoint),
      })
      expect(reply).toEqual({ status: 200, body: {} })
    },
  )

  test('survives what is no request at all', async () => {
    await sendNonsense(host1.path(plugin), '/NetworkDriver.CreateNetwork')
    const capabilities = { method: 'POST', path: driverPath('GetCapabilities') }
    const { body } = await send(host1.path(plugin), capabilities)
    expect(body).toEqual({ Scope: 'global', ConnectivityScope: 'global' })
  })
})

describe('the router’s socket', () => {
  const attach = `PUT /v1/endpoints/${id}`
  const join = `POST /v1/endpoints/${id}/join`
  const make = 'PUT /v1/networks/n'
  const spec = { network: 'n', addresses: ['10.0.0.1/8'] }
  const network = { subnets: [], multicast: false }
  test.each([
    ['a body cut short', attach, '{', 400, 'BAD_REQUEST', 'not JSON'],
    ['no body', attach, '', 400, 'BAD_REQUEST', 'empty'],
    ['a list', attach, [], 400, 'BAD_REQUEST', 'object'],
    ['no addresses', attach, { network: 'n' }, 400, 'BAD_REQUEST', 'addresses'],
    ['no MAC', attach, { ...spec, mac: 'zz' }, 400, 'BAD_REQUEST', 'mac'],
    ['a group’s MAC', attach, { ...spec, mac: group }, 400, 'BAD_REQUEST', 'mac'],
    ['an unknown field', attach, { ...spec, hue: 1 }, 400, 'BAD_REQUEST', 'hue'],
    ['a slash for a network', attach, { ...spec, network: '/' }, 400, 'BAD_REQUEST', 'network'],
    ['no length', attach, { ...spec, addresses: ['10.0.0.1'] }, 400, 'BAD_REQUEST', 'addresses.0'],
    ['two IPv4', attach, { ...spec, addresses: twoIpv4 }, 400, 'BAD_REQUEST', 'one family'],
    ['no subnet', make, { ...network, subnets: ['x'] }, 400, 'BAD_REQUEST', 'subnets.0'],
    ['a text for yes', make, { ...network, multicast: 'yes' }, 400, 'BAD_REQUEST', 'multicast'],
    ['a tiny MTU', make, { ...network, mtuBytes: 5 }, 400, 'BAD_REQUEST', 'mtuBytes'],
    ['a path', 'PUT /v1/networks/..%2f..', network, 400, 'BAD_REQUEST', 'network ID'],
    ['a bad escape', 'PUT /v1/networks/%zz', network, 400, 'BAD_REQUEST', 'encoded'],
    ['a huge body', make, huge, 413, 'BAD_REQUEST', 'longer than'],
    ['an abyss', make, deep, 400, 'BAD_REQUEST', 'nested'],
    ['a number for a path', join, { sandbox: 7 }, 400, 'BAD_REQUEST', 'sandbox'],
    ['an unknown endpoint', join, { sandbox: '/x' }, 400, 'ENDPOINT_UNKNOWN', 'not known'],
    ['a word too much', 'POST /v1/stop', { now: true }, 400, 'BAD_REQUEST', 'now'],
    ['a list', 'POST /v1/reset', [], 400, 'BAD_REQUEST', 'object'],
    ['a wrong method', 'GET /v1/reset', '', 405, 'UNKNOWN_CALL', 'GET /v1/reset'],
    ['an unknown path', 'GET /v1/nothing', '', 404, 'UNKNOWN_CALL', '/v1/nothing'],
    ['an unknown version', 'GET /v9/status', '', 404, 'UNKNOWN_VERSION', 'v9'],
  ])('refuses %s: %s', async (_what, call, body, status, code, named) => {
    const [method = '', target = ''] = call.split(' ')
    const reply = await send(host1.path(router), { method, path: target, body: text(body) })
    const message = expect.stringContaining(named)
    expect(reply).toEqual({ status, body: { code, message, remedy: expect.stringMatching(/.../) } })
  })

  test.each([
    ['DELETE', `/v1/endpoints/${id}`],
    ['POST', `/v1/endpoints/${id}/leave`],
    ['DELETE', '/v1/networks/nobody'],
  ])('takes %s %s of what nobody knows for done', async (method, target) => {
    expect(await send(host1.path(router), { method, path: target })).toEqual({
      status: 200,
      body: {},
    })
  })

  test('survives what is no request at all', async () => {
    await sendNonsense(host1.path(router), '/v1/reset')
    expect((await readStatus(host1)).ready).toBe(true)
  })
})

async function sendNonsense(socket: string, target: string): Promise<void> {
  const garbage = Uint8Array.from({ length: 4096 }, (_, index) => (index * 151) % 256)
  expect(await sendRaw(socket, garbage)).toMatch(/^HTTP\/1\.1 400 /)
  expect(await sendRaw(socket, `POST ${target} HTTP/1.1\r\nx: ${'x'.repeat(100_000)}`)).toMatch(
    /^HTTP\/1\.1 431 /,
  )
  // Half a body, and nobody there any more.
  await sendRaw(socket, `POST ${target} HTTP/1.1\r\ncontent-length: 100\r\n\r\n{"NetworkID"`)
  const body = Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d)
  expect((await send(socket, { method: 'POST', path: target, body })).status).toBe(400)
}

describe('the command line', () => {
  test.each([
    [['launch', 'http://host1'], 64, 'Leave the scheme away: host1'],
    [['launch', 'host1:99999'], 64, 'host1:6783'],
    [['launch', 'fd99::1:6783:x'], 64, '[fd00::1]:6783'],
    [['launch', 'host 1'], 64, 'peer: "host 1"'],
    [['launch', ''], 64, 'peer: ""'],
    [['launch', '--port=0'], 64, '--port: "0"'],
    [['launch', '--port=65533'], 64, '65532'],
    [['launch', '--port=67x'], 64, '--port: "67x"'],
    [['launch', '--mtu=575'], 64, '576'],
    [['launch', '--mtu=1e3'], 64, '--mtu: "1e3"'],
    [['launch', '--name=Not Valid'], 64, 'Nearest: not-valid'],
    [['launch', '--nickname='], 64, '--nickname: ""'],
    [['launch', '--host=10.99.0.1/24'], 64, 'Nearest: --host=10.99.0.1'],
    [['launch', '--host=host1'], 64, '--host: "host1"'],
    [['launch', '--advertise=10.99.0.1', '--host=10.99.0.2'], 64, 'give one of the two'],
    [['launch', '--cluster-store=consul://x:1'], 64, '--cluster-store'],
    [['launch', '--cluster-store=etcd://x:1/a b'], 64, '--cluster-store'],
    [['launch', '--cluster-store=etcd://x:1/../y'], 64, '--cluster-store'],
    [['launch', '--cluster-store=etcd://'], 64, '--cluster-store'],
    [['launch', '--log-level=warn'], 64, 'warning'],
    [['launch', '--run-as=daemon'], 64, '--run-as'],
    [['launch', '--prot=1'], 64, 'Did you mean --port?'],
    [['launch-plugin', '--socket=weave.sock'], 64, '/run/docker/plugins/weave.sock'],
    [['launch-plugin', '--socket=/run/docker/plugins/bridge.sock'], 64, 'Docker'],
    [['launch-plugin', '--scope=galaxy'], 64, '--scope'],
    [['stop', 'now'], 64, 'too many arguments'],
    [['status', 'peeers'], 64, 'peers'],
    [['reset', '--forse'], 64, 'Did you mean --force?'],
    [['lunch'], 64, 'Did you mean "weave launch"?'],
  ])('weave %j is refused with exit status %i', async (args, status, named) => {
    const { code, stdout, stderr } = await host1.weave(...args)
    expect(stderr).toContain(named)
    expect(stderr).toMatch(/^weave: .+\n {2}.+ \[[A-Z_]+\]\n$/)
    expect({ code, stdout }).toEqual({ code: status, stdout: '' })
  })
})

describe('docker network create', () => {
  test.each([
    ['weave.colour=red', 'weave.colour'],
    ['works.weave.multicats=true', 'works.weave.multicast'],
    ['works.weave.multicast=maybe', 'maybe'],
    ['weave.network=x', 'weave.network'],
    ['com.docker.network.driver.mtu=70000', '70000'],
    ['encrypted=true', 'encrypted'],
  ])('-o %s is refused', async (option, named) => {
    const create = ['network', 'create', '--driver=weave', '-o', option, 'odd']
    const { code, stderr } = await host1.docker(...create)
    expect(stderr).toContain(named)
    expect(code).toBe(1)
  })
})

test('all of that has changed nothing, and everything still works', async () => {
  expect(await everything()).toEqual(before)
  await runContainer(host1, 'after')
  expect(await pings(host2, 'right', 'after')).toBe(true)
})
