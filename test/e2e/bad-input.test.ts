/** What is wrong is named and set aside, nothing is half done, and the rest goes on. */

import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSeedLab, ourLinks, pings, readStatus, runContainer } from '../support/cluster.ts'
import { ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

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

interface Reply {
  readonly status: number
  readonly text: string
}

function send(socket: string, path: string, body: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const method = path.startsWith('/v1') ? 'PUT' : 'POST'
    const call = request({ socketPath: host1.path(socket), path, method }, (reply) => {
      let text = ''
      reply.setEncoding('utf8').on('data', (part: string) => (text += part))
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, text }))
    })
    call.on('error', reject).end(body)
  })
}

/** Everything that a bad request could have changed. */
async function everything(): Promise<unknown> {
  const { networks, endpoints } = await readStatus(host1)
  const keys = await lab.store.ctl('get', '--prefix', '--keys-only', '/weave/v1/')
  return { networks, endpoints, keys, links: await ourLinks(host1) }
}

const id = 'a'.repeat(64)
const plugin = '/run/docker/plugins/weave.sock'
const router = '/run/weave/weave.sock'

test.each([
  [plugin, '/NetworkDriver.CreateEndpoint', '{"NetworkID":', 400],
  [plugin, '/NetworkDriver.CreateEndpoint', '', 400],
  [plugin, '/NetworkDriver.CreateEndpoint', `{"NetworkID":7,"EndpointID":"${id}"}`, 400],
  [plugin, '/NetworkDriver.CreateNetwork', '{"NetworkID":"../../etc","Options":{}}', 400],
  [plugin, '/NetworkDriver.Dance', '{}', 404],
  [
    plugin,
    '/NetworkDriver.Join',
    `{"NetworkID":"${id}","EndpointID":"${id}","SandboxKey":"/x"}`,
    500,
  ],
  [plugin, '/NetworkDriver.CreateNetwork', `{"x":"${'x'.repeat(2_000_000)}"}`, 413],
  [router, `/v1/endpoints/${id}`, '[]', 400],
  [router, `/v1/endpoints/${id}`, '{"network":"n","addresses":["10.0.0.1"]}', 400],
  [router, '/v1/networks/..%2f..', '{"subnets":[],"multicast":false}', 400],
  [router, '/v2/networks/n', '{}', 404],
  [router, '/v1/nothing', '{}', 404],
])('%s refuses %s with a bad body, and changes nothing', async (socket, path, body, status) => {
  const before = await everything()
  const reply = await send(socket, path, body).catch((error: unknown) => ({
    // The rest of a huge body may meet a connection that is closed already.
    status: 413,
    text: JSON.stringify({ Err: String(error), message: String(error) }),
  }))
  expect(reply.status).toBe(status)
  expect(reply.text).toMatch(/"(Err|message)":"[^"]{10,}/)
  expect(await everything()).toEqual(before)
})

test.each([
  [['launch', 'http://host1'], 'peer'],
  [['launch', 'host1:99999'], 'peer'],
  [['launch', '--port=0'], '--port'],
  [['launch', '--mtu=12'], '--mtu'],
  [['launch', '--name=Not Valid'], '--name'],
  [['launch', '--cluster-store=consul://x'], '--cluster-store'],
  [['launch', '--log-level=loud'], '--log-level'],
  [['launch', '--prot=1'], '--port'],
  [['launch-plugin', '--scope=galaxy'], '--scope'],
  [['lunch'], 'launch'],
])('weave %j is refused with what is meant', async (args, named) => {
  const { code, stderr } = await host1.weave(...args)
  expect(code).toBe(64)
  expect(stderr).toContain(named)
})

test('an unknown option of ours is refused by name; the network is not made', async () => {
  const create = ['network', 'create', '--driver=weave', '-o', 'weave.multycast=1', 'odd']
  const { code, stderr } = await host1.docker(...create)
  expect(code).not.toBe(0)
  expect(stderr).toContain('weave.multycast')
  expect((await host1.docker('network', 'inspect', 'odd')).code).not.toBe(0)
})

test('foreign keys and broken records in the store are named, and disturb nobody', async () => {
  await lab.store.ctl('put', '/weave/v1/colours/red', 'x')
  await lab.store.ctl('put', '/weave/v1/hosts/stranger', '{"id":')
  const isNamed = await until(async () => {
    const { foreignKeys } = (await readStatus(host1)).store
    return (
      foreignKeys.includes('/weave/v1/colours/red') &&
      foreignKeys.includes('/weave/v1/hosts/stranger')
    )
  }, 10_000)
  expect(isNamed).toBe(true)
  await runContainer(host1, 'meanwhile')
  expect(await pings(host2, 'right', 'meanwhile')).toBe(true)
  await lab.store.ctl('del', '/weave/v1/colours/red')
  await lab.store.ctl('del', '/weave/v1/hosts/stranger')
})

test('a broken state file is named and set aside, and the rest is in force', async () => {
  const folder = '/var/lib/weave/endpoints'
  const [first = ''] = (await ok(host1.run(['ls', folder]))).split('\n')
  const whole = await readFile(host1.path(`${folder}/${first}`), 'utf8')
  await writeFile(host1.path(`${folder}/${'b'.repeat(64)}.json`), whole.slice(0, 20))
  await writeFile(host1.path('/var/lib/weave/settings.json'), 'not json')
  await ok(host1.docker('restart', 'weave'))
  expect(await until(async () => (await host1.weave('status')).code === 0, 30_000)).toBe(true)

  const { warnings } = await readStatus(host1)
  expect(warnings.join('\n')).toContain(`${'b'.repeat(64)}.json`)
  expect(warnings.join('\n')).toContain('settings.json')
  expect((await ok(host1.run('ls /var/lib/weave/aside'))).split('\n')).toHaveLength(2)
  expect(await pings(host1, 'left', 'right')).toBe(true)
})
