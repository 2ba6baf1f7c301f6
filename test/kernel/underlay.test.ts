/**
 * Which address is chosen on a host of both families? The namespace's own routes decide.
 *
 *   under0   203.0.113.1/24, fd99::1/64       where the other hosts are
 *   wide0    198.51.100.1/24, fd98::1/64    with the default routes
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { servePeers } from '../../src/control/peer.ts'
import type { Host } from '../../src/model/cluster.ts'
import { findUnderlay, requireOneFamily } from '../../src/router/underlay.ts'
import { superviseEtcd } from '../../src/store/managed.ts'
import { createNamespace, enterNamespace } from '../support/namespace.ts'
import type { Namespace } from '../support/namespace.ts'
import { hostId, ip } from '../support/values.ts'

let space: Namespace
let goHome: () => void

beforeEach(async () => {
  space = await createNamespace('underlay')
  for (const [link, ...addresses] of [
    ['under0', '203.0.113.1/24', 'fd99::1/64'],
    ['wide0', '198.51.100.1/24', 'fd98::1/64'],
  ] as const) {
    await space.run('ip', 'link', 'add', link, 'type', 'veth', 'peer', `${link}peer`)
    for (const end of [`${link}peer`, link]) await space.run('ip', 'link', 'set', end, 'up')
    for (const address of addresses) {
      const nodad = address.includes(':') ? ['nodad'] : []
      await space.run('ip', 'address', 'add', address, 'dev', link, ...nodad)
    }
  }
  await space.run('ip', 'route', 'add', 'default', 'via', '198.51.100.254')
  await space.run('ip', 'route', 'add', 'default', 'via', 'fd98::fe')
  goHome = enterNamespace(space)
})

afterEach(async () => {
  goHome()
  await space[Symbol.asyncDispose]()
})

async function addressTowards(...towards: readonly string[]): Promise<string> {
  return (await findUnderlay({ towards })).address
}

test('the address is of the family of the first host that there is a way to', async () => {
  expect(await addressTowards('fd99::2', '203.0.113.2')).toBe('fd99::1')
  expect(await addressTowards('203.0.113.2', 'fd99::2')).toBe('203.0.113.1')
  expect(await addressTowards()).toBe('198.51.100.1')
  await space.run('ip', 'route', 'del', 'default')
  expect(await addressTowards('10.1.1.1', 'fd99::2')).toBe('fd99::1')
})

test('a host with IPv6 alone is found by its default route', async () => {
  for (const link of ['under0', 'wide0']) await space.run('ip', '-4', 'address', 'flush', link)
  expect(await addressTowards()).toBe('fd98::1')
})

test('what was found at the launch is kept as long as this host has it', async () => {
  const before = ip('fd99::1')
  expect(await findUnderlay({ before, towards: ['203.0.113.2'] })).toEqual({
    address: before,
    device: 'under0',
  })
  await space.run('ip', 'address', 'del', 'fd99::1/64', 'dev', 'under0')
  expect(await findUnderlay({ before, towards: ['203.0.113.2'] })).toMatchObject({
    address: '203.0.113.1',
  })
})

test('a cluster of the other family is refused, with the addresses that fit', async () => {
  const other = host('203.0.113.2')
  requireOneFamily(ip('203.0.113.1'), [other])
  expect(() => requireOneFamily(ip('fd99::1'), [other])).toThrow(
    expect.objectContaining({
      code: 'FAMILIES_DIFFER',
      message: expect.stringMatching(/reached at fd99::1, but host2 \(203\.0\.113\.2\)/),
      remedy: 'Give one of these with --host=: 203.0.113.1, 198.51.100.1.',
    }),
  )
})

test('an IPv6 address that was given a moment ago can be listened on', async () => {
  await space.run('ip', 'address', 'add', 'fd99::5/64', 'dev', 'under0')
  expect(await space.run('ip', 'address', 'show', 'dev', 'under0')).toMatch(/fd99::5.*tentative/)
  const ending = new AbortController()
  const dataDir = await mkdtemp(path.join(tmpdir(), 'underlay-'))
  const address = 'fd99::5'
  const [peers, store] = await Promise.all([
    servePeers({ host: address, port: 6783, describe: nobodyAsks }),
    superviseEtcd({
      dataDir,
      name: 'one',
      address,
      clientPort: 6785,
      peerPort: 6786,
      signal: ending.signal,
      onLine: () => {},
      onEnd: () => {},
    }),
  ])
  const listening = await space.run('ss', '-Hltn', 'src', `[${address}]`)
  for (const port of [6783, 6785, 6786]) expect(listening).toContain(`[${address}]:${port}`)
  ending.abort()
  await Promise.all([store.done, peers.drain({ graceMs: 0 })])
  await rm(dataDir, { recursive: true })
})

function nobodyAsks(): never {
  throw new Error('nobody asks')
}

function host(address: string): Host {
  return {
    id: hostId('two'),
    nickname: 'host2',
    address: ip(address),
    controlPort: 6783,
    dataPort: 6784,
    instance: 'i',
    version: '0',
  }
}
