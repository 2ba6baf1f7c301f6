/** The commands for names, as typed, against a router that keeps what it is told. */

import { rmSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testContext } from '../../test/support/cli-context.ts'
import type { TestContext } from '../../test/support/cli-context.ts'
import { createMemoryRouter } from '../../test/support/memory-router.ts'
import type { MemoryRouter } from '../../test/support/memory-router.ts'
import { serveControl } from '../control/server.ts'
import type { HttpServer } from '../http/server.ts'
import { run } from './run.ts'

let host: TestContext
let router: MemoryRouter
let server: HttpServer

beforeEach(async () => {
  host = testContext()
  router = createMemoryRouter()
  server = await serveControl({ socket: host.context.paths.routerSocket, router })
})

afterEach(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(host.home, { recursive: true, force: true })
})

const manyAddresses = Array.from({ length: 65 }, (_, index) => `10.0.0.${index}`)

test('words are told apart, names are kept in one form, and nothing is printed', async () => {
  await run(['dns-add', '10.0.0.1', 'web1', 'FD00:0::1', '-h', 'WWW.Weave.Local.'], host.context)
  await run(['dns-add', 'web1', '-h', 'www', '--net=front'], host.context)
  await run(['dns-remove', '10.0.0.1', '-h', 'www.weave.local'], host.context)
  expect(router.calls).toEqual([
    'add-name {"name":"www.weave.local","addresses":["10.0.0.1","fd00::1"],"container":"web1"}',
    'add-name {"name":"www","addresses":[],"container":"web1","network":"front"}',
    'remove-names {"name":"www.weave.local","addresses":["10.0.0.1"]}',
  ])
  expect([host.printed, host.noted, host.exits]).toEqual([[], [], []])
})

test('removing what is not there says so and ends well', async () => {
  await run(['dns-remove', 'web1'], host.context)
  expect(host.noted).toEqual([expect.stringContaining('nothing was removed')])
  expect(host.exits).toEqual([])
})

test.each([
  [['dns-add', 'web1'], 'Type "weave dns-add web1 -h NAME"'],
  [['dns-add', '-h', 'www'], 'weave dns-add IP -h www'],
  [['dns-add', 'web1', 'web2', '-h', 'www'], 'Name one container'],
  [['dns-add', '10.0.0.300', '-h', 'www'], 'Give an IP address'],
  [['dns-add', '10.0.0.3/24', '-h', 'www'], 'Nearest: 10.0.0.3'],
  [['dns-add', 'web1', '10.0.0', '-h', 'www'], '"10.0.0" is not valid'],
  [['dns-add', 'web1', '-h', 'my printer!'], 'Nearest: my-printer'],
  [['dns-add', 'web1', '-h', ''], 'Give labels'],
  [['dns-add', 'web1', '-h', 'a..b'], 'Give labels'],
  [['dns-add', 'web1', '-h', 'www', '--net='], 'Docker network'],
  [['dns-add', 'web1', '-h'], 'argument missing'],
  [['dns-remove'], 'weave status dns'],
  [['dns-remove', '--net=front'], 'weave status dns'],
  [['dns-add', ...manyAddresses, '-h', 'x'], '65 addresses are too many at once'],
  [['dns-lookup', ''], 'Give a name'],
  [['dns-lookup'], 'missing required argument'],
  [['launch-dns'], 'weave launch --no-dns'],
])('%j is refused before the router is asked', async (argv, right) => {
  await run(argv, host.context)
  expect(host.exits).toEqual([64])
  expect(host.noted[0]).toContain(right)
  expect(router.calls).toEqual([])
})

test('a lookup prints one answer a line, or ends with 1', async () => {
  await run(['dns-add', '10.0.0.1', 'fd00::1', '-h', 'printer'], host.context)
  await run(['dns-lookup', 'printer'], host.context)
  expect([host.printed, host.exits]).toEqual([['10.0.0.1', 'fd00::1'], []])
  await run(['dns-lookup', 'nobody'], host.context)
  expect(host.exits).toEqual([1])
  expect(host.noted).toEqual(['weave: nothing is known about "nobody"'])
})

test('flags for docker run are printed, or else the reason why there are none', async () => {
  await run(['dns-args'], host.context)
  expect([host.printed, host.exits]).toEqual([[], []])
  expect(host.noted).toEqual([expect.stringContaining('no flags')])
  router.dnsArgs = '--dns=172.18.0.1 --dns-search=weave.local'
  await run(['dns-args'], host.context)
  expect(host.printed).toEqual(['--dns=172.18.0.1 --dns-search=weave.local'])
})
