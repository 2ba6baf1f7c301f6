import { expect, test } from 'vitest'
import type { NetworkMember } from '../../docker/engine.ts'
import { createAskers } from './askers.ts'

const sandboxes = new Map([
  ['/netns/aaaa', []],
  ['/netns/bbbb', []],
])
const bridged = {
  id: 'web',
  name: 'web',
  hostname: 'web',
  domainname: '',
  pid: 7,
  sandbox: '/netns/bbbb',
  attachments: [],
}

test('who asks is told by Docker’s gateway bridge, or by another bridge', async () => {
  const askers = create({ members: () => [member('gateway_aaaa', '172.18.0.2')] })
  expect(await askers.sandboxAt('172.18.0.2')).toBe('/netns/aaaa')
  expect(await askers.sandboxAt('172.19.0.2')).toBe('/netns/bbbb')
  expect(await askers.sandboxAt('172.18.0.9')).toBeUndefined()
})

test('a container without a network of ours is nobody', async () => {
  const askers = create({
    members: () => [member('gateway_cccc', '172.18.0.2'), member('db', '172.18.0.3')],
  })
  expect(await askers.sandboxAt('172.18.0.2')).toBeUndefined()
  expect(await askers.sandboxAt('172.18.0.3')).toBeUndefined()
})

test('an address may pass to another container, of which there are news', async () => {
  let version = 1
  let holder = 'gateway_aaaa'
  let asked = 0
  const askers = create({
    version: () => version,
    members() {
      asked += 1
      return [member(holder, '172.18.0.2')]
    },
  })
  await askers.sandboxAt('172.18.0.2')
  await askers.sandboxAt('172.18.0.2')
  expect(asked).toBe(1)
  holder = 'gateway_bbbb'
  version = 2
  expect(await askers.sandboxAt('172.18.0.2')).toBe('/netns/bbbb')
})

test('an engine that says nothing is asked again', async () => {
  let isAway = true
  const askers = create({
    members() {
      if (isAway) throw new Error('away')
      return [member('gateway_aaaa', '172.18.0.2')]
    },
  })
  expect(await askers.sandboxAt('172.18.0.2')).toBeUndefined()
  isAway = false
  expect(await askers.sandboxAt('172.18.0.2')).toBe('/netns/aaaa')
})

function member(name: string, address: string): NetworkMember {
  return { name, addresses: [address] }
}

function create({
  members,
  version = () => 1,
}: {
  readonly members: () => readonly NetworkMember[]
  readonly version?: () => number
}): ReturnType<typeof createAskers> {
  return createAskers({
    engine: { members: async () => members() },
    roster: { withAddress: (address) => (address === '172.19.0.2' ? bridged : undefined) },
    sandboxes: () => sandboxes,
    version,
  })
}
