/** The managed store: a real etcd under supervision. */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEtcdStore } from '../../src/store/etcd.ts'
import { createEtcdClient } from '../../src/store/etcd/client.ts'
import {
  addLearner,
  listMembers,
  promoteMember,
  removeMember,
} from '../../src/store/etcd/members.ts'
import { peerUrl } from '../../src/store/etcd/process.ts'
import { relieve } from '../../src/store/etcd/upkeep.ts'
import { superviseEtcd } from '../../src/store/managed.ts'
import type { ManagedStore, ManagedStoreOptions } from '../../src/store/managed.ts'
import { freePort, startEtcd } from '../support/etcd.ts'

const run = promisify(execFile)
const patient = { timeout: 20_000, interval: 50 }

let folder: string
let stop: AbortController
let ends: string[]
let running: ManagedStore[]

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'weave-managed-'))
  stop = new AbortController()
  ends = []
  running = []
})

afterEach(async () => {
  stop.abort()
  await Promise.all(running.map(({ done }) => done))
  const left = await processesIn(folder)
  if (left.length > 0) throw new Error(`left behind: ${left.join(' ')}`)
  await rm(folder, { recursive: true, force: true })
})

async function options(more: Partial<ManagedStoreOptions> = {}): Promise<ManagedStoreOptions> {
  return {
    dataDir: path.join(folder, 'data'),
    name: 'one',
    address: '127.0.0.1',
    clientPort: await freePort(),
    peerPort: await freePort(),
    signal: stop.signal,
    onLine: () => {},
    onEnd: (reason) => ends.push(reason),
    ...more,
  }
}

async function supervise(given: ManagedStoreOptions): Promise<void> {
  running.push(await superviseEtcd(given))
}

/** PIDs of everything that has `text` on its command line. */
async function processesIn(text: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      return line.includes(text) && Number(pid) !== process.pid ? [Number(pid)] : []
    }),
  )
  return found.flat()
}

test('it answers as soon as it is there, keeps its data, and ends with its signal', async () => {
  const given = await options()
  await supervise(given)
  const store = createEtcdStore({ endpoints: [`127.0.0.1:${given.clientPort}`], prefix: '' })
  await store.commit([{ kind: 'put', key: '/a', text: '1' }])

  stop.abort()
  await running.pop()?.done
  expect(await processesIn(given.dataDir)).toEqual([])
  stop = new AbortController()
  await supervise({ ...given, signal: stop.signal })

  expect(await store.read('/a')).toMatchObject({ text: '1' })
  expect(ends).toEqual([])
  await store[Symbol.asyncDispose]()
}, 60_000)

test('one that is killed is started again', async () => {
  const given = await options()
  await supervise(given)
  const store = createEtcdStore({ endpoints: [`127.0.0.1:${given.clientPort}`], prefix: '' })

  for (const pid of await processesIn(given.dataDir)) process.kill(pid, 'SIGKILL')

  await expect.poll(() => ends.length, patient).toBe(1)
  await expect.poll(() => store.health().then(({ problem }) => problem), patient).toBeUndefined()
  await store[Symbol.asyncDispose]()
}, 60_000)

test('it does not outlive a router that is killed', async () => {
  const { clientPort, peerPort } = await options()
  const script = `
    import { superviseEtcd } from ${JSON.stringify(path.resolve('src/store/managed.ts'))}
    const signal = new AbortController().signal
    await superviseEtcd({ dataDir: ${JSON.stringify(`${folder}/data`)}, name: 'one', address: '127.0.0.1',
      clientPort: ${clientPort}, peerPort: ${peerPort}, signal, onLine: () => {}, onEnd: () => {} })
    process.kill(process.pid, 'SIGKILL')`
  await writeFile(path.join(folder, 'main.mts'), script)

  await expect(
    run('node', ['--import', 'tsx', path.join(folder, 'main.mts')]),
  ).rejects.toMatchObject({
    signal: 'SIGKILL',
  })

  await expect.poll(() => processesIn(`${folder}/data`), patient).toEqual([])
}, 60_000)

test('a port that is taken for good is named; one that becomes free is waited for', async () => {
  const given = await options()
  const squatter = createServer((socket) => socket.destroy()).listen(given.clientPort, '127.0.0.1')
  const refused = superviseEtcd(given)
  await expect(refused).rejects.toMatchObject({ code: 'PORT_IN_USE' })
  await expect(refused).rejects.toThrow(String(given.clientPort))

  setTimeout(() => squatter.close(), 1500)
  await supervise(given)
}, 60_000)

test('another etcd on its port is not taken for ours', async () => {
  await using other = await startEtcd()
  const given = await options({ clientPort: Number(other.address.split(':')[1]) })
  await expect(superviseEtcd(given)).rejects.toMatchObject({ code: 'PORT_IN_USE' })
}, 60_000)

test('a missing program, a folder that is a file, and damaged data each have their fault', async () => {
  const binary = path.join(folder, 'no-etcd')
  await expect(superviseEtcd(await options({ binary }))).rejects.toMatchObject({
    code: 'ETCD_MISSING',
  })

  const file = path.join(folder, 'file')
  await writeFile(file, '')
  const inFile = await options({ dataDir: path.join(file, 'data') })
  await expect(superviseEtcd(inFile)).rejects.toMatchObject({ code: 'ETCD_DATA_UNUSABLE' })

  const database = path.join(folder, 'data/member/snap')
  await mkdir(database, { recursive: true })
  await mkdir(path.join(folder, 'data/member/wal'), { recursive: true })
  await writeFile(path.join(database, 'db'), 'x'.repeat(40_000))
  const damaged = superviseEtcd(await options())
  await expect(damaged).rejects.toMatchObject({ code: 'ETCD_DATA_UNUSABLE' })
  await expect(damaged).rejects.toThrow(folder)
}, 60_000)

test('an address that this host does not have is a clear refusal', async () => {
  const starting = superviseEtcd(await options({ address: '192.0.2.1' }))
  await expect(starting).rejects.toMatchObject({ code: 'ETCD_NOT_STARTING' })
  await expect(starting).rejects.toThrow('192.0.2.1')
}, 60_000)

test('a full store says so, and is made to work again', async () => {
  await using etcd = await startEtcd('--quota-backend-bytes=4194304')
  const store = createEtcdStore({ endpoints: [etcd.address], prefix: '' })
  const text = 'x'.repeat(200_000)
  async function fill(): Promise<void> {
    for (let turn = 0; turn < 100; turn += 1) await store.commit([{ kind: 'put', key: '/a', text }])
  }
  await expect(fill()).rejects.toMatchObject({ code: 'STORE_FULL' })

  using client = createEtcdClient({ endpoints: [etcd.address], timeoutMs: 30_000 })
  await relieve(client)

  expect(await store.commit([{ kind: 'put', key: '/b', text }])).toMatchObject({ kind: 'written' })
  await store[Symbol.asyncDispose]()
}, 60_000)

test('a second host joins as learner, is promoted, and is removed again', async () => {
  const first = await options()
  await supervise(first)
  using client = createEtcdClient({ endpoints: [`127.0.0.1:${first.clientPort}`] })
  const second = await options({ name: 'two', dataDir: path.join(folder, 'data2') })

  const { id, members } = await addLearner(client, peerUrl(second.address, second.peerPort))
  const joins = members
    .filter((member) => member.id !== id)
    .flatMap(({ name, peerUrls }) => peerUrls.map((url) => ({ name, peerUrl: url })))
  running.push(await superviseEtcd({ ...second, joins }))
  await expect
    .poll(() => promoteMember(client, id).then(() => 'promoted', String), patient)
    .toBe('promoted')

  const roles = (await listMembers(client)).map(({ name, role }) => [name, role])
  expect(new Map(roles.map(([name, role]) => [name, role]))).toEqual(
    new Map([
      ['one', 'voter'],
      ['two', 'voter'],
    ]),
  )
  await expect
    .poll(() => removeMember(client, id).then(() => 'removed', String), patient)
    .toBe('removed')
  await expect.poll(() => listMembers(client).then(({ length }) => length), patient).toBe(1)
}, 60_000)
