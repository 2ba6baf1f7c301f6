import { describe, expect, test } from 'vitest'
import { ip, networkId } from '../../test/support/values.ts'
import type { IpAddress } from '../model/address.ts'
import { resolve } from './resolve.ts'
import type { Added, Directory, Named, Resolution } from './resolve.ts'

const a = 1
const txt = 16
const ptr = 12
const aaaa = 28
const any = 255

const front = networkId('front')
const back = networkId('back')

const world = createDirectory({
  endpoints: [
    [front, endpoint('web', ['10.0.0.1', 'fd00::1'], ['web', 'www', 'web.example.com'])],
    [front, endpoint('web', ['10.0.0.2'], ['web2', 'www'])],
    [back, endpoint('db', ['10.1.0.1'], ['db', 'www'])],
  ],
  added: [
    { name: 'printer', addresses: [ip('192.168.7.7')] },
    { name: 'nas', addresses: [ip('192.168.7.8')] },
    { name: 'secret', addresses: [ip('192.168.7.9')], network: back },
  ],
})

describe('names', () => {
  test.each([
    ['web', '10.0.0.1'],
    ['WeB', '10.0.0.1'],
    ['web.weave.local', '10.0.0.1'],
    ['WEB.Weave.Local', '10.0.0.1'],
    ['web.example.com', '10.0.0.1'],
    ['web.example.com.weave.local', '10.0.0.1'],
    ['web.front-net', '10.0.0.1'],
    ['web.Front-Net.weave.local', '10.0.0.1'],
    ['web.example.com.front-net', '10.0.0.1'],
    ['printer', '192.168.7.7'],
    ['printer.weave.local', '192.168.7.7'],
    ['nas.weave.local', '192.168.7.8'],
  ])('%s is found', (name, address) => {
    expect(ask(name, a)).toEqual({ kind: 'addresses', addresses: [address] })
  })

  test('of several containers give all of them, and only those of shared networks', () => {
    expect(ask('www', a)).toEqual({ kind: 'addresses', addresses: ['10.0.0.1', '10.0.0.2'] })
    expect(ask('www', a, [front, back])).toEqual({
      kind: 'addresses',
      addresses: ['10.0.0.1', '10.0.0.2', '10.1.0.1'],
    })
  })

  test.each([
    'db',
    'db.back',
    'nobody',
    'web.back-net',
    'secret',
    'weave.local.example',
    '',
    'a b',
  ])('%j is left to others', (name) => {
    expect(ask(name, a)).toEqual({ kind: 'foreign' })
  })

  test.each(['db.weave.local', 'nobody.Weave.local', 'a b.weave.local', 'secret.weave.local'])(
    '%j does not exist, and nobody else is asked',
    (name) => {
      expect(ask(name, a)).toEqual({ kind: 'unknown' })
    },
  )

  test('without a network nothing is known but what was added for all', () => {
    expect(ask('web', a, [])).toEqual({ kind: 'foreign' })
    expect(ask('printer', a, []).kind).toBe('addresses')
  })
})

describe('types', () => {
  test('each family is asked for by itself, and ANY is both', () => {
    expect(ask('web', aaaa)).toEqual({ kind: 'addresses', addresses: ['fd00::1'] })
    expect(ask('web', any)).toEqual({ kind: 'addresses', addresses: ['10.0.0.1', 'fd00::1'] })
  })

  test.each([
    ['db', aaaa],
    ['db', txt],
    ['db', ptr],
    ['weave.local', a],
  ])('%s has nothing of type %i, but exists', (name, type) => {
    expect(ask(name, type, [back])).toEqual({ kind: 'no-data' })
  })
})

describe('reverse', () => {
  test('an address of a shared network has the first name, in our domain', () => {
    expect(ask('1.0.0.10.in-addr.arpa', ptr)).toEqual({ kind: 'names', names: ['web.weave.local'] })
    const nibbles = '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa'
    expect(ask(nibbles, ptr)).toEqual({ kind: 'names', names: ['web.weave.local'] })
    expect(ask('8.7.168.192.in-addr.arpa', ptr)).toEqual({
      kind: 'names',
      names: ['nas.weave.local'],
    })
    expect(ask('1.0.0.10.in-addr.arpa', txt)).toEqual({ kind: 'no-data' })
  })

  test.each([
    '1.0.1.10.in-addr.arpa',
    '9.7.168.192.in-addr.arpa',
    '0.0.10.in-addr.arpa',
    '256.0.0.10.in-addr.arpa',
    '01.0.0.10.in-addr.arpa',
    'x.0.0.10.in-addr.arpa',
    'd.f.ip6.arpa',
  ])('%s is left to others', (name) => {
    expect(ask(name, ptr)).toEqual({ kind: 'foreign' })
  })
})

function ask(name: string, type: number, networks = [front]): Resolution {
  return resolve({ name, type }, { networks }, { directory: world, domain: 'weave.local' })
}

function endpoint(container: string, texts: readonly string[], names: readonly string[]): Named {
  return { addresses: texts.map(ip), naming: { container, network: '', names } }
}

function createDirectory({
  endpoints,
  added,
}: {
  readonly endpoints: readonly (readonly [string, Named])[]
  readonly added: readonly Added[]
}): Directory {
  const all = endpoints.map(([network, one]) => ({
    in: network,
    ...one,
    naming: one.naming === undefined ? undefined : { ...one.naming, network: `${network}-net` },
  }))
  return {
    endpointsNamed: (network, name) =>
      all.filter((one) => one.in === network && one.naming?.names.includes(name) === true),
    endpointsAt: (network, address) => all.filter((one) => one.in === network && at(address)(one)),
    addedNamed: (name) => added.filter((one) => one.name === name),
    addedAt: (address) => added.filter(at(address)),
  }
}

function at(address: IpAddress): (one: { addresses: readonly IpAddress[] }) => boolean {
  return ({ addresses }) => addresses.includes(address)
}
