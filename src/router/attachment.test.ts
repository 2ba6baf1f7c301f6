import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endpointId, networkId, vni } from '../../test/support/values.ts'
import { createTurns } from '../reconcile/turns.ts'
import { readPaths } from '../settings/paths.ts'
import { createAttachments } from './attachment.ts'
import type { Attachments } from './attachment.ts'
import { openFacts } from './facts.ts'
import type { Facts } from './facts.ts'
import { createNetworks } from './networks.ts'

const id = endpointId('web')
const network = networkId('net')
const spec = { network, addresses: ['10.32.0.5/24'] }
const never = new AbortController().signal

let folder = ''
let facts: Facts
let attachments: Attachments
let linkProblem: string | undefined

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'attachment-'))
  linkProblem = undefined
  facts = await openFacts(readPaths({ WEAVE_STATE_DIR: folder }), () => {})
  const turns = createTurns()
  const networks = createNetworks({
    facts,
    turns,
    published: () => undefined,
    allocate: async (wanted) => ({ ...wanted, vni: vni(7) }),
  })
  attachments = createAttachments({
    facts,
    networks,
    turns,
    settleLinks: async () => linkProblem,
    introduce: async () => undefined,
    announce: async () => {},
    mtuBytes: 1450,
    now: () => new Date(0),
    randomBytes: () => Uint8Array.of(1, 2, 3, 4, 5),
  })
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('the MAC follows from the IPv4 address, so that a moved address keeps it', async () => {
  expect(await attachments.put(id, spec, never)).toEqual({ mac: '02:42:0a:20:00:05' })
})

test('without IPv4 it follows from the IPv6 address, and is another one for each', async () => {
  const macs = await Promise.all(
    ['fd00::5/64', 'fd00::5/64', 'fd00::6/64', 'fd00:0:0:1::5/64'].map(async (address, index) => {
      const spec6 = { network, addresses: [address] }
      return (await attachments.put(endpointId(`six${index}`), spec6, never)).mac
    }),
  )
  expect(macs[0]).toMatch(/^02:/)
  expect(macs[1]).toBe(macs[0])
  expect(new Set(macs).size).toBe(3)
})

test('without an address the MAC is random, and stays the same when the call is repeated', async () => {
  const bare = { ...spec, addresses: [] }
  const first = await attachments.put(id, bare, never)
  expect(first).toEqual({ mac: '02:01:02:03:04:05' })
  expect(await attachments.put(id, bare, never)).toEqual(first)
})

test('a network nobody told this host about is found or made', async () => {
  await attachments.put(id, spec, never)
  expect(facts.networks.get(network)).toMatchObject({ vni: 7, multicast: false })
})

test('an IPv6 address is refused where the network carries less than IPv6 needs', async () => {
  await facts.setNetwork({
    id: network,
    vni: vni(7),
    subnets: [],
    multicast: false,
    mtuBytes: 1279,
  })
  const both = { ...spec, addresses: ['10.32.0.5/24', 'fd00::5/64'] }
  await expect(attachments.put(id, both, never)).rejects.toMatchObject({
    code: 'MTU_BELOW_IPV6',
    message: expect.stringContaining('fd00::5/64'),
  })
  expect(facts.endpoints.size).toBe(0)
  await attachments.put(id, spec, never)
})

test('other subnets of the network are reached through the interface, family by family', async () => {
  const subnets = ['10.32.0.0/24', '10.33.0.0/24', 'fd00::/64']
  await facts.setNetwork({ id: network, vni: vni(7), subnets, multicast: true })
  await attachments.put(id, spec, never)
  expect((await attachments.join(id, { sandbox: '/x' }, never)).connectedRoutes).toEqual([
    '10.33.0.0/24',
    '224.0.0.0/4',
  ])
})

test('when the interface cannot be made, nothing is left behind', async () => {
  linkProblem = 'Operation not permitted'
  await expect(attachments.put(id, spec, never)).rejects.toMatchObject({ code: 'INTERFACE_FAILED' })
  expect(facts.endpoints.size).toBe(0)
})

test('an endpoint goes through its phases, and every call may be repeated or skipped', async () => {
  await attachments.put(id, spec, never)
  for (let round = 0; round < 2; round += 1) {
    expect(await attachments.join(id, { sandbox: '/x' }, never)).toMatchObject({
      connectedRoutes: [],
    })
    expect(facts.endpoints.get(id)).toMatchObject({ phase: 'joined', sandbox: '/x' })
  }
  for (let round = 0; round < 2; round += 1) await attachments.leave(id)
  expect(facts.endpoints.get(id)).toMatchObject({ phase: 'left' })
  for (let round = 0; round < 2; round += 1) await attachments.remove(id)
  expect(facts.endpoints.size).toBe(0)
  await attachments.leave(id)
})

test('joining what is not there is refused', async () => {
  await expect(attachments.join(id, { sandbox: '/x' }, never)).rejects.toMatchObject({
    code: 'ENDPOINT_UNKNOWN',
  })
})

test('a router that starts again knows its endpoints and networks', async () => {
  await attachments.put(id, spec, never)
  await attachments.join(id, { sandbox: '/x' }, never)
  const again = await openFacts(readPaths({ WEAVE_STATE_DIR: folder }), () => {})
  expect(again.endpoints).toEqual(facts.endpoints)
  expect(again.networks).toEqual(facts.networks)
})
