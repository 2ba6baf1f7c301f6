/**
 * Every container finds every other by name, on whichever hosts they are, and learns nothing of those it shares no
 * network with. Nothing of it needs a flag.
 */

import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addressOf,
  awaitNetwork,
  createNetwork,
  createSeedLab,
  ipv6Of,
  removeNetwork,
  runContainer,
} from '../../support/cluster.ts'
import { ok, until } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'
import { addLookupImage } from '../../support/lab/lookup.ts'
import { startUpstream } from '../../support/lab/upstream.ts'
import type { Upstream } from '../../support/lab/upstream.ts'
import { dig, expectAddresses, lookUp, lookUpAll, resolvers } from '../../support/lookup.ts'
import type { Asker } from '../../support/lookup.ts'
import { currentMode } from '../../support/mode.ts'

const domain = 'weave.local'
const image = 'lookup'
const { answersAtOnce } = currentMode()

let lab: Lab
let upstream: Upstream
let host1: Host
let host2: Host
let host3: Host
/** On every host one, in the network `weave`. */
let askers: readonly Asker[]
let onHost1: Asker
let onHost3: Asker

beforeAll(async () => {
  lab = await createSeedLab(3)
  host1 = lab.host(1)
  host2 = lab.host(2)
  host3 = lab.host(3)
  upstream = await startUpstream(lab)
  await Promise.all(lab.hosts.map(addLookupImage))
  await createNetwork(lab, 'other')
  const names = ['one', 'two', 'three'] as const
  askers = lab.hosts.map((host, index) => ({ host, container: names[index] ?? '' }))
  await Promise.all(askers.map(({ host, container }) => runContainer(host, container, { image })))
  onHost1 = { host: host1, container: 'one' }
  onHost3 = { host: host3, container: 'three' }
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

describe('a container is found on every host', () => {
  let id: string
  let address: string
  let names: readonly string[]

  beforeAll(async () => {
    const args = ['--network-alias=site', '--hostname=webhost', '--domainname=dept.example']
    id = (await runContainer(host2, 'web', { args })).slice(0, 12)
    address = await addressOf(host2, 'web')
    const bare = ['web', 'site', 'webhost', id, 'web.weave', 'site.weave', 'WEB']
    names = [...bare, ...bare.map((name) => `${name}.${domain}`), 'webhost.dept.example']
    for (const asker of askers) await expectAddresses(asker, 'web', [address])
  })

  afterAll(async () => {
    await host2.docker('rm', '-f', 'web')
  })

  test.each(resolvers)('by each of its names, with the resolver of %s', async (resolver) => {
    const expected = Object.fromEntries(names.map((name) => [name, [address]]))
    for (const asker of askers) {
      expect(await lookUpAll(asker, names, resolver), asker.host.name).toEqual(expected)
    }
  })

  test('by its address, which has a name', async () => {
    const reverse = `${address.split('.').toReversed().join('.')}.in-addr.arpa`
    for (const asker of askers) {
      expect(await dig(asker, reverse, 'PTR')).toMatchObject({
        status: 'NOERROR',
        records: [`PTR web.${domain}.`],
      })
    }
  })

  test('over TCP, with EDNS and without; for a moment only', async () => {
    for (const args of [['+tcp'], ['+noedns'], ['+bufsize=4096'], ['+tcp', '+dnssec']]) {
      const answer = await dig(onHost1, 'web', ...args)
      expect(answer, args.join(' ')).toMatchObject({
        status: 'NOERROR',
        records: [`A ${address}`],
        ttls: [1],
      })
    }
  })

  test('and has no IPv6 address where its network has none, without asking elsewhere', async () => {
    for (const name of ['web', `web.${domain}`]) {
      expect(await dig(onHost1, name, 'AAAA')).toMatchObject({ status: 'NOERROR', records: [] })
      expect(await dig(onHost1, name, 'TXT')).toMatchObject({ status: 'NOERROR', records: [] })
    }
    expect((await upstream.asked()).filter((line) => / web\b/.test(line))).toEqual([])
  })
})

test('in a network of both families a name has both kinds of address, and both have the name', async () => {
  const subnets = ['--subnet=10.80.0.0/16', '--subnet=fd00:80::/64']
  await createNetwork(lab, 'dual', { args: ['--ipv6', ...subnets] })
  await runContainer(host1, 'left', { net: 'dual', image })
  await runContainer(host2, 'right', { net: 'dual', image })
  const both = [await addressOf(host2, 'right', 'dual'), await ipv6Of(host2, 'right', 'dual')]
  const left = { host: host1, container: 'left' }
  await expectAddresses(left, 'right', both)
  for (const resolver of resolvers) {
    expect((await lookUp(left, 'right', resolver)).toSorted(), resolver).toEqual(both.toSorted())
  }
  expect((await dig(left, 'right', 'A')).records).toEqual([`A ${both[0]}`])
  expect((await dig(left, 'right', 'AAAA')).records).toEqual([`AAAA ${both[1]}`])
  for (const address of both) {
    const { stdout } = await host1.docker('exec', 'left', 'dig', '+short', '-x', address)
    expect(stdout.trim()).toBe(`right.${domain}.`)
  }
  await Promise.all([host1.docker('rm', '-f', 'left'), host2.docker('rm', '-f', 'right')])
  await removeNetwork(lab, 'dual')
})

test('containers that share an alias are all found, each of them first at times', async () => {
  const args = ['--network-alias=pool']
  await Promise.all(lab.hosts.map((host) => runContainer(host, `pool-${host.name}`, { args })))
  const addresses = await Promise.all(lab.hosts.map((host) => addressOf(host, `pool-${host.name}`)))
  for (const asker of askers) {
    await expectAddresses(asker, 'pool', addresses)
    const rounds = 'for i in $(seq 40); do dig +short pool. | head -n 1; done | sort -u'
    const firsts = await ok(asker.host.docker('exec', asker.container, 'sh', '-c', rounds))
    expect(firsts.split('\n')).toEqual(addresses.toSorted())
  }

  await ok(host2.docker('rm', '-f', 'pool-host2'))
  await expectAddresses(onHost1, 'pool', [addresses[0] ?? '', addresses[2] ?? ''])
  await Promise.all(lab.hosts.map((host) => host.docker('rm', '-f', `pool-${host.name}`)))
  await expectAddresses(onHost1, 'pool', [])
})

describe('names are known in the networks that two share', () => {
  beforeAll(async () => {
    await runContainer(host2, 'apart', { net: 'other', image, args: ['--network-alias=same'] })
    await runContainer(host3, 'here', { args: ['--network-alias=same'] })
    await runContainer(host1, 'inboth', { image })
    await ok(host1.docker('network', 'connect', 'other', 'inboth'))
  })

  afterAll(async () => {
    await Promise.all([
      host1.docker('rm', '-f', 'inboth'),
      host2.docker('rm', '-f', 'apart'),
      host3.docker('rm', '-f', 'here'),
    ])
  })

  test('and exist in no other', async () => {
    const there = await addressOf(host2, 'apart', 'other')
    const here = await addressOf(host3, 'here')
    const apart = { host: host2, container: 'apart' }
    await expectAddresses(onHost1, 'same', [here])
    await expectAddresses(apart, 'same', [there])
    for (const name of ['apart', `apart.${domain}`, 'apart.other', `apart.other.${domain}`]) {
      expect(await dig(onHost1, name), name).toMatchObject({ status: 'NXDOMAIN', records: [] })
    }
    for (const name of ['here', `here.${domain}`, 'here.weave']) {
      expect(await dig(apart, name), name).toMatchObject({ status: 'NXDOMAIN', records: [] })
    }
    const reverse = `${there.split('.').toReversed().join('.')}.in-addr.arpa`
    expect((await dig(onHost1, reverse, 'PTR')).records).toEqual([])
  })

  test('a container in two networks knows and has the names of both', async () => {
    const inBoth = { host: host1, container: 'inboth' }
    const there = await addressOf(host2, 'apart', 'other')
    const here = await addressOf(host3, 'here')
    await expectAddresses(inBoth, 'same', [there, here])
    await expectAddresses(inBoth, 'same.other', [there])
    await expectAddresses(inBoth, `same.weave.${domain}`, [here])
    await expectAddresses({ host: host2, container: 'apart' }, 'inboth', [
      await addressOf(host1, 'inboth', 'other'),
    ])
    await expectAddresses(onHost3, 'inboth', [await addressOf(host1, 'inboth')])
  })
})

describe('on the other hosts a name follows', () => {
  beforeAll(async () => {
    await runContainer(host1, 'mover', { image, args: ['--network-alias=alias'] })
    await expectAddresses(onHost3, 'mover', [await addressOf(host1, 'mover')])
  })

  afterAll(async () => {
    await host1.docker('rm', '-f', 'mover')
  })

  test('docker rename, there and back', async () => {
    const address = await addressOf(host1, 'mover')
    await ok(host1.docker('rename', 'mover', 'renamed'))
    await expectAddresses(onHost3, 'renamed', [address])
    await expectAddresses(onHost3, `mover.${domain}`, [])
    await expectAddresses(onHost3, 'mover', [])
    await expectAddresses(onHost3, 'alias', [address])
    await ok(host1.docker('rename', 'renamed', 'mover'))
    await expectAddresses(onHost3, 'mover', [address])
  })

  test('docker network connect with an alias, and disconnect', async () => {
    await runContainer(host2, 'waiting', { net: 'other', image })
    const waiting = { host: host2, container: 'waiting' }
    await ok(host1.docker('network', 'connect', '--alias=guest', 'other', 'mover'))
    const address = await addressOf(host1, 'mover', 'other')
    await expectAddresses(waiting, 'guest', [address])
    await expectAddresses(waiting, 'mover', [address])
    await expectAddresses({ host: host1, container: 'mover' }, 'waiting', [
      await addressOf(host2, 'waiting', 'other'),
    ])
    await expectAddresses(onHost3, 'guest', [])

    await ok(host1.docker('network', 'disconnect', 'other', 'mover'))
    await expectAddresses(waiting, 'guest', [])
    await expectAddresses(waiting, 'mover', [])
    await expectAddresses({ host: host1, container: 'mover' }, 'waiting', [])
    await ok(host2.docker('rm', '-f', 'waiting'))
  })

  test('stop, start, restart and kill', async () => {
    await ok(host1.docker('stop', '-t0', 'mover'))
    await expectAddresses(onHost3, 'mover', [])
    await ok(host1.docker('start', 'mover'))
    await expectAddresses(onHost3, 'mover', [await addressOf(host1, 'mover')])
    await ok(host1.docker('restart', '-t0', 'mover'))
    await expectAddresses(onHost3, 'alias', [await addressOf(host1, 'mover')])
    await ok(host1.docker('kill', 'mover'))
    await expectAddresses(onHost3, 'alias', [])
    await ok(host1.docker('start', 'mover'))
    await expectAddresses({ host: host1, container: 'mover' }, 'three', [
      await addressOf(host3, 'three'),
    ])
  })

  test('a container that removes itself', async () => {
    await runContainer(host1, 'brief', { args: ['--rm'] })
    await expectAddresses(onHost3, 'brief', [await addressOf(host1, 'brief')])
    await ok(host1.docker('kill', 'brief'))
    await expectAddresses(onHost3, 'brief', [])
  })
})

describe('everything else is as without us', () => {
  const questions = [
    'www.example A',
    'www.example AAAA',
    'www.example TXT',
    '80.2.0.192.in-addr.arpa PTR',
    'nobody.example A',
    'nobody A',
    'broken.example A',
    'private.example A',
    'many.example A',
    'many.example A +tcp',
    'many.example A +ignore +noedns',
  ]

  beforeAll(async () => {
    await ok(host1.docker('network', 'create', '--driver=bridge', 'plain'))
    await runContainer(host1, 'apart', { net: 'plain', image })
  })

  afterAll(async () => {
    await host1.docker('rm', '-f', 'apart')
    await host1.docker('network', 'rm', 'plain')
  })

  test.each(questions)('%s', async (question) => {
    const [name = '', ...args] = question.split(' ')
    const expected = await dig({ host: host1, container: 'apart' }, name, ...args)
    expect(await dig(onHost1, name, ...args)).toEqual(expected)
    expect(expected.status).not.toBe('')
  })

  test('a name under our domain that nobody has does not exist, and nobody else is asked', async () => {
    expect((await dig(onHost1, `nobody.${domain}`)).status).toBe('NXDOMAIN')
    expect((await upstream.asked()).filter((line) => line.endsWith(domain))).toEqual([])
  })

  test('/etc/resolv.conf is what Docker writes', async () => {
    const [ours, dockers] = await Promise.all(
      ['one', 'apart'].map((name) => host1.docker('exec', name, 'cat', '/etc/resolv.conf')),
    )
    expect(ours?.stdout).toBe(dockers?.stdout)
    expect(ours?.stdout).toContain('nameserver 127.0.0.11')
  })
})

describe('names are found', () => {
  let three: string

  beforeAll(async () => {
    three = await addressOf(host3, 'three')
  })

  test('with --dns, which goes on answering the rest', async () => {
    await inContainer(['--dns=10.99.0.254'], async (asker) => {
      await expectAddresses(asker, 'three', [three])
      expect((await dig(asker, 'www.example')).records).toEqual(['A 192.0.2.80'])
    })
  })

  test.each([domain, 'dept.example'])('with --dns-search=%s', async (search) => {
    await inContainer([`--dns-search=${search}`], async (asker) => {
      await expectAddresses(asker, 'three', [three])
      for (const resolver of ['glibc', 'musl'] as const) {
        expect(await lookUp(asker, 'three', resolver), resolver).toEqual([three])
      }
    })
  })

  test('with --add-host, which goes first where a program reads /etc/hosts', async () => {
    await inContainer(['--add-host=two:192.0.2.99'], async (asker) => {
      await expectAddresses(asker, 'three', [three])
      expect(await lookUp(asker, 'two', 'glibc')).toEqual(['192.0.2.99'])
      expect((await dig(asker, 'two')).records).toEqual([`A ${await addressOf(host2, 'two')}`])
    })
  })

  test('by a container in the network of another container', async () => {
    await runContainer(host1, 'guest', { net: 'container:one', image })
    await expectAddresses({ host: host1, container: 'guest' }, 'three', [three])
    await ok(host1.docker('rm', '-f', 'guest'))
    await expectAddresses(onHost1, 'three', [three])
  })

  test('in an internal network', async () => {
    await createNetwork(lab, 'inner', { args: ['--internal'] })
    await runContainer(host1, 'in1', { net: 'inner', image })
    await runContainer(host2, 'in2', { net: 'inner', image })
    await expectAddresses({ host: host1, container: 'in1' }, 'in2', [
      await addressOf(host2, 'in2', 'inner'),
    ])
    await expectAddresses({ host: host2, container: 'in2' }, `in1.${domain}`, [
      await addressOf(host1, 'in1', 'inner'),
    ])
    await Promise.all([host1.docker('rm', '-f', 'in1'), host2.docker('rm', '-f', 'in2')])
    await removeNetwork(lab, 'inner')
  })
})

describe('an application of several parts, by docker-compose on two hosts', () => {
  const file = '/tmp/shop.yml'
  const ipam = currentMode().store === 'none' ? 'ipam: {driver: weave}' : ''
  const service = `{image: ${image}, command: [sleep, '100000'], stop_signal: SIGKILL}`
  const text = `version: '3.8'
services: {front: ${service}, back: ${service}}
networks:
  default:
    driver: weave
    ${ipam}
`

  function compose(host: Host, ...args: readonly string[]): Promise<string> {
    return ok(host.run(['docker-compose', '-p', 'shop', '-f', file, ...args]))
  }

  /** Addresses of a part as the other one is told. */
  function told(host: Host, part: string, name: string): Promise<string> {
    return compose(host, 'exec', '-T', part, 'sh', '-c', `resolve ${name} | sort`)
  }

  async function addresses(host: Host, part: string): Promise<string> {
    const ids = (await compose(host, 'ps', '-q', part)).split('\n')
    const all = await Promise.all(ids.map((id) => addressOf(host, id, 'shop_default')))
    return all.toSorted().join('\n')
  }

  beforeAll(async () => {
    for (const host of [host1, host2]) await writeFile(host.path(file), text)
    await compose(host1, 'up', '-d', 'front')
    await awaitNetwork(host2, 'shop_default')
    await compose(host2, 'up', '-d', 'back')
  })

  afterAll(async () => {
    for (const host of [host1, host2]) await compose(host, 'rm', '-s', '-f')
    await removeNetwork(lab, 'shop_default')
  })

  test('they find each other by the names of the parts, both ways', async () => {
    const [front, back] = [await addresses(host1, 'front'), await addresses(host2, 'back')]
    expect(await until(async () => (await told(host1, 'front', 'back')) === back, 10_000)).toBe(
      true,
    )
    expect(await told(host2, 'back', 'front')).toBe(front)
    await compose(host1, 'exec', '-T', 'front', 'ping', '-c1', '-W5', 'back')
    await compose(host2, 'exec', '-T', 'back', 'ping', '-c1', '-W5', 'front')
    expect((await dig(onHost1, 'back')).status).toBe('NXDOMAIN')
  })

  test('and so they do when one of them has become three', async () => {
    await compose(host2, 'up', '-d', '--scale', 'back=3', 'back')
    const three = await addresses(host2, 'back')
    expect(three.split('\n')).toHaveLength(3)
    expect(await until(async () => (await told(host1, 'front', 'back')) === three, 10_000)).toBe(
      true,
    )
  })
})

describe('when a container starts', () => {
  const rounds = 10

  test('what it asks first is answered', async ({ annotate }) => {
    const three = await addressOf(host3, 'three')
    let atFirst = 0
    for (let round = 0; round < rounds; round += 1) {
      const insist =
        'i=0; until resolve three; do i=$((i+1)); [ $i -lt 200 ] || exit 1; done; echo $i'
      const said = await ok(host2.docker('run', '--rm', '--net=weave', image, 'sh', '-c', insist))
      expect(said).toMatch(new RegExp(`^${three}\n`))
      if (said.endsWith('\n0')) atFirst += 1
    }
    await annotate(`${atFirst} of ${rounds} were answered at the first question`)
    expect(atFirst).toBeGreaterThanOrEqual(answersAtOnce ? rounds : 0)
  })

  test('and that of one with dns-args, on every engine', async () => {
    const three = await addressOf(host3, 'three')
    const args = (await ok(host2.weave('dns-args'))).split(' ')
    for (let round = 0; round < rounds; round += 1) {
      const run = ['run', '--rm', '--net=weave', ...args, image, 'resolve', 'three']
      expect(await ok(host2.docker(...run))).toBe(three)
    }
  })

  test.for([
    ['name', '7001'],
    ['network-alias', '7002'],
    ['hostname', '7003'],
  ] as const)(
    'it is found by its %s by whom it calls first',
    async ([flag, port], { annotate }) => {
      const server = ['exec', '-d', 'three', 'nc', '-ll', '-p', port, '-e', 'resolve', 'caller']
      await ok(host3.docker(...server))
      const three = await addressOf(host3, 'three')
      const call = `until nc ${three} ${port}; do usleep 20000; done; ip -o -4 address show ethwe0`
      const run = ['run', '--rm', '--net=weave', `--${flag}=caller`, image, 'sh', '-c', call]
      let found = 0
      for (let round = 0; round < rounds; round += 1) {
        const said = await ok(host2.docker(...run))
        const [, own = ''] = /inet ([\d.]+)/.exec(said) ?? []
        if (said.startsWith(`${own}\n`)) found += 1
        await expectAddresses(onHost3, 'caller', [])
      }
      await annotate(`${found} of ${rounds} were found`)
      expect(found).toBeGreaterThanOrEqual(answersAtOnce ? rounds : 0)
    },
  )
})

/** Does something in a container on the first host that is run with these flags. */
async function inContainer(
  args: readonly string[],
  work: (asker: Asker) => Promise<void>,
): Promise<void> {
  await runContainer(host1, 'special', { image, args })
  await work({ host: host1, container: 'special' })
  await ok(host1.docker('rm', '-f', 'special'))
}
