/** Who answers a container's lookups, as routers come, hang and go: a foothold beside a stand-in for Docker's resolver. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFoothold } from '../../src/netlink/foothold.ts'
import { close } from '../../src/netlink/libc.ts'
import { resolverAddress, resolverPort } from '../../src/netlink/name-rules.ts'
import { inNetworkNamespace } from '../../src/netlink/netns.ts'
import { commitBatch } from '../../src/netlink/nfnetlink.ts'
import { encodeDeleteTable, encodeTable } from '../../src/netlink/nft-object.ts'
import { openNetlink } from '../../src/netlink/socket.ts'
import { NETLINK_NETFILTER } from '../../src/netlink/uapi.ts'
import { createNamespace } from '../support/namespace.ts'
import type { Namespace } from '../support/namespace.ts'
import {
  answerAsUs,
  dockers,
  lookUp,
  lookUpByBusybox,
  lookUpByTcp,
  openAsker,
  ours,
  standInForDocker,
} from '../support/resolver.ts'

/** Longer than the rules outlive a router that hangs; for the poll that ends sooner. */
const patience = { timeout: 20_000, interval: 100 }
const shortMs = 300

let space: Namespace
let path: string
const children: ChildProcess[] = []

beforeEach(async () => {
  space = await createNamespace('names')
  path = `/run/netns/${space.name}`
})

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  await space[Symbol.asyncDispose]()
})

test.each(['iptables-legacy', 'iptables-nft', 'nft'] as const)(
  'lookups come to us, and marked ones go to Docker’s resolver, behind rules by %s',
  async (program) => {
    using _docker = await standInForDocker(space, program)
    expect(await lookUp(space)).toBe(dockers)
    using foothold = openFoothold(path)
    using _us = answerAsUs(foothold)
    expect(await lookUp(space)).toBe(dockers)
    foothold.redirect()
    expect(await lookUp(space)).toBe(ours)
    expect(await lookUpByBusybox(space)).toBe(ours)
    expect(await lookUpByTcp(space)).toBe(ours)

    using marked = await openAsker(space, foothold.openUdp())
    expect(await marked.ask()).toBe(dockers)
    const connection = foothold.connectTcp(resolverAddress, resolverPort)
    expect(await lookUpByTcp(space, connection)).toBe(dockers)

    foothold[Symbol.dispose]()
    expect(await lookUp(space)).toBe(dockers)
    expect(await lookUpByBusybox(space)).toBe(dockers)
    expect(await lookUpByTcp(space)).toBe(dockers)
  },
)

/** A foothold that answers, in a process of its own. */
async function startRouter(ownership: 'owned' | 'unowned'): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', 'test/support/hold-names.ts', path, ownership],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  children.push(child)
  await once(child.stdout ?? child, 'data')
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length
}

test('nft and ss show what was made: one table with an owner, and sockets on 127.0.0.11 alone', async () => {
  using foothold = openFoothold(path)
  using _us = answerAsUs(foothold)
  foothold.redirect()
  const { udp, tcp } = foothold
  const listed = await space.run('nft', 'list', 'ruleset')
  expect(listed.replace(/expires \w+/, 'expires SOON')).toBe(`table ip weave-dns { # progname node
	flags owner

	set alive {
		type ipv4_addr
		size 64
		flags dynamic,timeout
		timeout 4s
		gc-interval 1m
		elements = { 127.0.0.11 expires SOON }
	}

	chain queries {
		type filter hook output priority raw; policy accept;
		meta mark 0x57656176 ip daddr 127.0.0.11 udp dport ${udp.port} update @alive { ip daddr } drop
		meta mark != 0x57656176 ip daddr @alive udp dport 53 udp dport set ${udp.port}
	}

	chain answers {
		type filter hook output priority 100; policy accept;
		ip saddr 127.0.0.11 udp sport ${udp.port} udp sport set 53
	}

	chain connections {
		type nat hook output priority -110; policy accept;
		meta mark != 0x57656176 ip daddr @alive tcp dport 53 dnat to 127.0.0.11:${tcp.port}
	}
}
`)
  const listening = (await space.run('ss', '-Hlntu')).trim().split('\n')
  expect(listening.map((line) => line.split(/\s+/)).map((words) => [words[0], words[4]])).toEqual([
    ['udp', `127.0.0.11:${udp.port}`],
    ['tcp', `127.0.0.11:${tcp.port}`],
  ])
})

test('a program that keeps its socket is answered by us from the first moment, and by Docker’s after the last', async () => {
  using _docker = await standInForDocker(space)
  using asker = await openAsker(space)
  expect(await asker.ask()).toBe(dockers)
  using foothold = openFoothold(path)
  using _us = answerAsUs(foothold)
  foothold.redirect()
  expect(await asker.ask()).toBe(ours)
  foothold[Symbol.dispose]()
  expect(await asker.ask()).toBe(dockers)
})

test('a container whose own filter lets tracked packets through alone has its lookups answered', async () => {
  using _docker = await standInForDocker(space)
  for (const chain of ['INPUT', 'OUTPUT']) {
    const states = ['-m', 'conntrack', '--ctstate', 'NEW,ESTABLISHED,RELATED', '-j', 'ACCEPT']
    await space.run('iptables-nft', '-A', chain, ...states)
    await space.run('iptables-nft', '-P', chain, 'DROP')
  }
  expect(await lookUp(space)).toBe(dockers)
  using foothold = openFoothold(path)
  using _us = answerAsUs(foothold)
  foothold.redirect()
  expect(await lookUp(space)).toBe(ours)
  expect(await lookUpByTcp(space)).toBe(ours)
  using marked = await openAsker(space, foothold.openUdp())
  expect(await marked.ask()).toBe(dockers)
  expect(foothold.beat()).toBe(true)
})

test('it makes no difference whether Docker’s rules come before or after ours', async () => {
  using foothold = openFoothold(path)
  using _us = answerAsUs(foothold)
  foothold.redirect()
  using _docker = await standInForDocker(space)
  expect(await lookUp(space)).toBe(ours)
  expect(await lookUpByTcp(space)).toBe(ours)
  using marked = await openAsker(space, foothold.openUdp())
  expect(await marked.ask()).toBe(dockers)
})

test('a router that is killed leaves no rules: the next lookup is answered by Docker’s resolver', async () => {
  using _docker = await standInForDocker(space)
  using asker = await openAsker(space)
  const router = await startRouter('owned')
  expect(await asker.ask()).toBe(ours)
  await kill(router)
  expect(await lookUp(space, shortMs)).toBe(dockers)
  expect(await asker.ask(shortMs)).toBe(dockers)
  expect(await lookUpByTcp(space)).toBe(dockers)
  expect(await space.run('nft', 'list', 'tables')).not.toContain('weave')
})

test('while a router hangs, lookups are answered by Docker’s resolver after a few seconds; then by us again', async () => {
  using _docker = await standInForDocker(space)
  using asker = await openAsker(space)
  const router = await startRouter('owned')
  expect(await asker.ask()).toBe(ours)
  router.kill('SIGSTOP')
  await expect.poll(() => lookUp(space, shortMs), patience).toBe(dockers)
  expect(await asker.ask()).toBe(dockers)
  expect(await lookUpByTcp(space)).toBe(dockers)
  router.kill('SIGCONT')
  await expect.poll(() => lookUp(space, shortMs), patience).toBe(ours)
  // What was asked of us in between is answered late.
  await expect.poll(() => asker.ask(), patience).toBe(ours)
  expect(await lookUpByTcp(space)).toBe(ours)
})

test('when Docker’s resolver has moved, a socket that it was asked from before does not find it, but a new one does', async () => {
  using foothold = openFoothold(path)
  using _us = answerAsUs(foothold)
  foothold.redirect()
  const docker = await standInForDocker(space)
  using used = await openAsker(space, foothold.openUdp())
  expect(await used.ask()).toBe(dockers)
  docker[Symbol.dispose]()
  await space.run('sh', '-ec', 'iptables-nft -t nat -F; iptables-nft -t nat -X')
  using _moved = await standInForDocker(space)
  expect(await used.ask(shortMs)).toBeUndefined()
  using fresh = await openAsker(space, foothold.openUdp())
  expect(await fresh.ask()).toBe(dockers)
})

test('where the kernel knows no owners, a killed router’s rules have no effect soon, and the next router’s replace them', async () => {
  using _docker = await standInForDocker(space)
  const router = await startRouter('unowned')
  expect(await lookUp(space)).toBe(ours)
  await kill(router)
  await expect.poll(() => lookUp(space, shortMs), patience).toBe(dockers)
  expect(await lookUpByTcp(space)).toBe(dockers)
  expect(await space.run('nft', 'list', 'tables')).toContain('weave-dns')

  using foothold = openFoothold(path)
  using _us = answerAsUs(foothold)
  foothold.redirect()
  expect(await lookUp(space)).toBe(ours)
  foothold[Symbol.dispose]()
  expect(await space.run('nft', 'list', 'tables')).not.toContain('weave-dns')
})

test('flushing all rules in the container does not touch ours', async () => {
  using foothold = openFoothold(path)
  using _us = answerAsUs(foothold)
  foothold.redirect()
  await space.run('nft', 'flush', 'ruleset')
  expect(await lookUp(space)).toBe(ours)
  expect(foothold.beat()).toBe(true)
  expect(await space.tries('nft', 'delete', 'table', 'weave-dns')).toBe(false)
})

test('where the kernel knows no owners, the heartbeat tells that they were flushed, and they can be loaded again', async () => {
  using _docker = await standInForDocker(space, 'iptables-legacy')
  using foothold = openFoothold(path, { owned: false })
  using _us = answerAsUs(foothold)
  foothold.redirect()
  expect(foothold.beat()).toBe(true)
  await space.run('nft', 'flush', 'ruleset')
  expect(foothold.beat()).toBe(false)
  expect(await lookUp(space)).toBe(dockers)
  foothold.redirect()
  expect(foothold.beat()).toBe(true)
  expect(await lookUp(space)).toBe(ours)
})

test('of a batch with a refused request in its midst nothing comes about, and the refusal is told', async () => {
  const fd = inNetworkNamespace(path, () => openNetlink(NETLINK_NETFILTER))
  const requests = [
    encodeTable('one', { owned: false }),
    encodeDeleteTable('nothing'),
    encodeTable('two', { owned: false }),
  ]
  expect(commitBatch(fd, requests)).toMatchObject({
    code: 'ENOENT',
    message: expect.stringMatching(/^delete table nothing/),
  })
  expect(await space.run('nft', 'list', 'tables')).toBe('')
  expect(commitBatch(fd, requests.slice(2))).toBeUndefined()
  expect(await space.run('nft', 'list', 'tables')).toBe('table ip two\n')
  close(fd)
})

test('loading the rules again disturbs nobody', async () => {
  using foothold = openFoothold(path)
  using _us = answerAsUs(foothold)
  foothold.redirect()
  using asker = await openAsker(space)
  for (let round = 0; round < 20; round += 1) {
    foothold.redirect()
    expect(await asker.ask()).toBe(ours)
  }
})

test('another living router’s rules are not replaced, and lookups stay with it', async () => {
  await startRouter('owned')
  using foothold = openFoothold(path)
  using _us = answerAsUs(foothold)
  expect(() => foothold.redirect()).toThrow(
    expect.objectContaining({ name: 'NetlinkError', code: 'EPERM' }),
  )
  expect(await space.run('nft', 'list', 'ruleset')).not.toContain(`${foothold.udp.port}`)
  expect(await lookUp(space)).toBe(ours)
})

test('nobody in the container can share the port that lookups are sent to', async () => {
  using foothold = openFoothold(path)
  using _us = answerAsUs(foothold)
  const steal = [
    'setpriv',
    '--reuid=65534',
    process.execPath,
    '--eval',
    stealing(foothold.udp.port),
  ]
  expect(await space.tries(...steal)).toBe(true)
  foothold.redirect()
  expect(await space.tries(...steal)).toBe(false)
})

test.each(['handed on', 'kept'])(
  'a namespace ends with its foothold; its sockets were %s',
  async (fate) => {
    await using dying = await createNamespace('dying')
    await space.run('ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'far', 'netns', dying.name)
    using foothold = openFoothold(`/run/netns/${dying.name}`)
    const server = fate === 'kept' ? undefined : answerAsUs(foothold)
    foothold.redirect()
    await dying[Symbol.asyncDispose]()
    expect(await space.tries('ip', 'link', 'show', 'near')).toBe(true)
    server?.[Symbol.dispose]()
    foothold[Symbol.dispose]()
    await expect.poll(() => space.tries('ip', 'link', 'show', 'near'), patience).toBe(false)
  },
)

test.each([
  ['is not there', '/run/netns/test-nothing', 'ENOENT'],
  ['is no namespace', '/etc/hostname', 'EINVAL'],
  ['is a namespace of another kind', '/proc/self/ns/mnt', 'EINVAL'],
])('a path that %s is refused, and leaves nothing open', (_, wrong, code) => {
  const before = openFiles()
  expect(() => openFoothold(wrong)).toThrow(expect.objectContaining({ code }))
  expect(openFiles()).toBe(before)
})

test('a namespace without 127.0.0.0/8 is refused, and leaves nothing open', async () => {
  await space.run('ip', 'address', 'flush', 'dev', 'lo')
  const before = openFiles()
  expect(() => openFoothold(path)).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL' }))
  expect(openFiles()).toBe(before)
})

test('a foothold that the last descriptors do not suffice for leaves none of them open', async () => {
  const program = ['--import', 'tsx', 'test/support/few-files.ts', path]
  const said = await space.run('prlimit', '--nofile=100:100', process.execPath, ...program)
  expect(JSON.parse(said)).toEqual(
    [1, 2, 3, 4, 5, 6].map((spare) => ({ spare, outcome: 'EMFILE', left: spare })),
  )
})

test('each socket is taken once, and who has it closes it', async () => {
  const before = openFiles()
  const foothold = openFoothold(path)
  const server = answerAsUs(foothold)
  expect(() => foothold.udp.take()).toThrow('taken before')
  foothold.redirect()
  foothold[Symbol.dispose]()
  foothold[Symbol.dispose]()
  expect(foothold.beat()).toBe(false)
  for (const use of [foothold.redirect, foothold.openUdp]) expect(use).toThrow('closed')
  server[Symbol.dispose]()
  await expect.poll(openFiles).toBe(before)
})

/** A program that binds to the port, if it may, and ends. */
function stealing(port: number): string {
  return `require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true })
    .on('error', () => process.exit(1))
    .bind({ address: '${resolverAddress}', port: ${port} }, () => process.exit(0))`
}

test('two hundred containers have footholds at once, and none of them is left', async () => {
  const before = openFiles()
  const names = Array.from({ length: 200 }, (_, index) => `test-${process.pid}-many${index}`)
  await batch(names.map((name) => `netns add ${name}`))
  try {
    await Promise.all(names.map((name) => space.run('ip', '-n', name, 'link', 'set', 'lo', 'up')))
    const footholds = names.map((name) => openFoothold(`/run/netns/${name}`))
    const servers = footholds.map(answerAsUs)
    for (const { redirect } of footholds) redirect()
    expect(new Set(footholds.map(({ inode }) => inode)).size).toBe(200)
    const answers = await Promise.all(names.map((name) => lookUp({ name })))
    expect(new Set(answers)).toEqual(new Set([ours]))
    expect(footholds.every(({ beat }) => beat())).toBe(true)
    for (const open of [...footholds, ...servers]) open[Symbol.dispose]()
    expect(await lookUp({ name: names[0] ?? '' }, shortMs)).toBeUndefined()
  } finally {
    await batch(names.map((name) => `netns delete ${name}`))
  }
  await expect.poll(openFiles, patience).toBe(before)
})

async function batch(commands: readonly string[]): Promise<void> {
  await space.run('sh', '-ec', `ip -batch - <<END\n${commands.join('\n')}\nEND`)
}
