import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { decideScope, readDockerConfiguration } from './scope.ts'
import type { ScopeClues } from './scope.ts'

const nothing: ScopeClues = {
  asked: 'auto',
  engine: undefined,
  remembered: undefined,
  configuration: [],
}

const noStore = {
  clusterStore: '',
  swarm: { state: 'inactive', nodeId: '', address: '', isManager: false, managers: [] },
}

test('what was asked for goes before everything', () => {
  expect(decideScope({ ...nothing, asked: 'local', remembered: 'global' }).scope).toBe('local')
})

test('what the engine says goes before what was remembered', () => {
  const remembered = { ...nothing, remembered: 'global' } as const

  expect(decideScope({ ...remembered, engine: noStore }).scope).toBe('local')
  expect(
    decideScope({
      ...nothing,
      remembered: 'local',
      engine: { ...noStore, clusterStore: 'etcd://a:1' },
    }).scope,
  ).toBe('global')
})

test('in a swarm it is local, and the reason says what serves the swarm', () => {
  const engine = { ...noStore, swarm: { ...noStore.swarm, state: 'active' } }

  const { scope, reason } = decideScope({ ...nothing, remembered: 'global', engine })

  expect(scope).toBe('local')
  expect(reason).toContain('weave plugin-image')
})

test('what was remembered goes before configuration', () => {
  const configuration = ['dockerd\0--cluster-store=etcd://a:1\0']

  expect(decideScope({ ...nothing, remembered: 'local', configuration }).scope).toBe('local')
  expect(decideScope({ ...nothing, configuration }).scope).toBe('global')
  expect(decideScope(nothing).scope).toBe('local')
})

test.each([
  ['dockerd\0--cluster-store\0etcd://a:1\0', 'global'],
  ['dockerd\0--cluster-store-opt\0kv.path=x\0', 'local'],
  ['dockerd\0--cluster-advertise=eth0:1\0', 'local'],
])('the command line %j means %s', (line, scope) => {
  expect(decideScope({ ...nothing, configuration: [line] }).scope).toBe(scope)
})

test("Docker's own configuration is read, and its absence or nonsense is nothing", async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'weave-scope-'))
  const files = {
    pidFile: path.join(directory, 'docker.pid'),
    daemonFile: path.join(directory, 'daemon.json'),
  }
  try {
    expect(await readDockerConfiguration(files)).toEqual(['', ''])

    await writeFile(files.pidFile, `${process.pid}\n`)
    await writeFile(files.daemonFile, '{"cluster-store":"etcd://10.0.0.1:2379","bip":"x"}')
    const [commandLine, daemon] = await readDockerConfiguration(files)
    expect(commandLine).toContain('node')
    expect(daemon).toBe('cluster-store=etcd://10.0.0.1:2379')
    expect(decideScope({ ...nothing, configuration: [daemon ?? ''] }).scope).toBe('global')

    await writeFile(files.daemonFile, '{')
    expect((await readDockerConfiguration(files))[1]).toBe('')
  } finally {
    await rm(directory, { recursive: true })
  }
})
