/** Names that somebody adds, and who else may ask: programs of the host, and containers of no network of ours. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  addressOf,
  createNetwork,
  createSeedLab,
  restarted,
  runContainer,
  signalMain,
} from '../support/cluster.ts'
import { ok } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'
import { addLookupImage } from '../support/lab/lookup.ts'
import { startUpstream } from '../support/lab/upstream.ts'
import { dig, expectAddresses, lookUp } from '../support/lookup.ts'
import type { Asker } from '../support/lookup.ts'

const domain = 'weave.local'
const image = 'lookup'

let lab: Lab
let host1: Host
let host2: Host
let left: Asker
let right: Asker

beforeAll(async () => {
  lab = await createSeedLab()
  host1 = lab.host(1)
  host2 = lab.host(2)
  await startUpstream(lab)
  await Promise.all(lab.hosts.map(addLookupImage))
  left = { host: host1, container: 'left' }
  right = { host: host2, container: 'right' }
  for (const { host, container } of [left, right]) await runContainer(host, container, { image })
}, 120_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

test('a container gets one more name on every host, until it is removed', async () => {
  await runContainer(host1, 'named', { image })
  await ok(host1.weave('dns-add', 'named', '-h', 'extra'))
  await expectAddresses(right, 'extra', [await addressOf(host1, 'named')])
  await expectAddresses(right, `extra.${domain}`, [await addressOf(host1, 'named')])
  await ok(host1.docker('restart', '-t0', 'named'))
  await expectAddresses(right, 'extra', [await addressOf(host1, 'named')])
  await ok(host1.docker('rm', '-f', 'named'))
  await expectAddresses(right, 'extra', [])
})

test('something outside has a name on every host, through restarts of the router, until it is taken away', async () => {
  await ok(host1.weave('dns-add', '192.0.2.7', '192.0.2.8', '-h', `printer.${domain}`))
  await expectAddresses(right, 'printer', ['192.0.2.7', '192.0.2.8'])
  expect((await dig(right, '7.2.0.192.in-addr.arpa', 'PTR')).records).toEqual([
    `PTR printer.${domain}.`,
  ])
  await restarted(host1, () => signalMain(host1, 'weave', 'KILL'))
  await expectAddresses(right, 'printer', ['192.0.2.7', '192.0.2.8'], { patienceMs: 30_000 })
  await ok(host1.weave('dns-remove', '192.0.2.7', '-h', 'printer'))
  await expectAddresses(right, 'printer', ['192.0.2.8'])
  await ok(host1.weave('dns-remove', '-h', 'printer'))
  await expectAddresses(right, 'printer', [])
})

test('a name that is said on one network is known on that one alone', async () => {
  await createNetwork(lab, 'other')
  await runContainer(host2, 'apart', { net: 'other', image })
  await ok(host1.weave('dns-add', '192.0.2.9', '-h', 'secret', '--net=other'))
  await expectAddresses({ host: host2, container: 'apart' }, 'secret', ['192.0.2.9'])
  expect(await lookUp(right, 'secret')).toEqual([])
  await ok(host2.docker('rm', '-f', 'apart'))
})

test('a hundred addresses are cut short for a datagram, and whole over TCP', async () => {
  const hundred = Array.from({ length: 100 }, (_, index) => `192.0.2.${index + 101}`)
  await ok(host1.weave('dns-add', ...hundred.slice(0, 50), '-h', 'crowd'))
  await ok(host1.weave('dns-add', ...hundred.slice(50), '-h', 'crowd'))
  await expectAddresses(right, 'crowd', hundred, { resolver: 'glibc' })
  const cut = await dig(right, 'crowd', '+ignore', '+noedns')
  expect(cut.flags).toContain('tc')
  expect(cut.records.length).toBeLessThan(100)
  const whole = hundred.map((address) => `A ${address}`).toSorted()
  for (const args of [[], ['+tcp'], ['+noedns'], ['+tcp', '+dnssec']]) {
    const { records, flags } = await dig(right, 'crowd', ...args)
    expect(records.toSorted(), args.join(' ')).toEqual(whole)
    expect(flags).not.toContain('tc')
  }
  expect((await lookUp(right, 'crowd', 'musl')).length).toBeGreaterThan(0)
  await ok(host1.weave('dns-remove', '-h', 'crowd'))
  await expectAddresses(right, 'crowd', [])
})

test('the host’s own programs are told the same, by a command and by a name server of their own', async () => {
  const address = await addressOf(host2, 'right')
  expect(await ok(host1.weave('dns-lookup', 'right'))).toBe(address)
  expect(await ok(host1.weave('dns-lookup', address))).toBe(`right.${domain}`)
  expect((await host1.weave('dns-lookup', 'nobody')).code).toBe(1)
  const query = `const { Resolver } = require('node:dns').promises
    const resolver = new Resolver()
    resolver.setServers(['127.6.7.83'])
    resolver.resolve4('right.${domain}').then((all) => console.log(all.join()))`
  expect(await ok(host1.run(['node', '-e', query]))).toBe(address)
})

test('where dns-args lead, containers of no network of ours are told nothing', async () => {
  await runContainer(host1, 'stranger', { net: 'bridge', image })
  const [, server = ''] = /--dns=(\S+)/.exec(await ok(host1.weave('dns-args'))) ?? []
  const stranger = { host: host1, container: 'stranger' }
  for (const name of ['right', `right.${domain}`, 'www.example']) {
    expect(await dig(stranger, name, `@${server}`)).toMatchObject({
      status: 'REFUSED',
      records: [],
    })
  }
  await ok(host1.docker('rm', '-f', 'stranger'))
})
