import { existsSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testContext } from '../../../test/support/cli-context.ts'
import type { TestContext } from '../../../test/support/cli-context.ts'
import { managedVariables } from '../../settings/managed.ts'
import { makePlugin } from '../plugin-image.ts'
import type { RunProgram } from '../program.ts'
import { pluginConfig, pluginDescription } from './config.ts'
import { mayStandIn, startStandIn } from './stand-in.ts'

let setting: TestContext
let calls: string[]
let created: unknown

beforeEach(async () => {
  setting = testContext()
  calls = []
  created = undefined
  await writeFile(setting.context.installation.imageTar, 'tar')
})

afterEach(async () => {
  await rm(setting.home, { recursive: true })
})

test('a plugin is made from the image, and enabled; nothing else is left', async () => {
  await make('weave:latest')

  expect(created).toEqual(pluginConfig())
  expect(calls.filter((call) => call.startsWith('docker'))).toEqual([
    'docker plugin inspect --format={{json .}} weave:latest',
    expect.stringMatching(/^docker plugin create weave:latest \S+$/),
    'docker plugin enable weave:latest',
  ])
  expect(existsSync(directoryIn(calls))).toBe(false)
})

test('one that is there is replaced only when the new one is unpacked, with what was set', async () => {
  await make('weave:latest', {
    Enabled: true,
    Config: { Description: pluginDescription },
    Settings: { Env: ['WEAVE_MTU=1400', 'WEAVE_PEERS=', 'DOCKER_HOST=unix:///old'] },
  })

  expect(calls.map((call) => call.split(' ').slice(0, 3).join(' '))).toEqual([
    'docker plugin inspect',
    expect.stringMatching(/^tar /),
    'docker plugin disable',
    'docker plugin rm',
    'docker plugin create',
    'docker plugin set',
    'docker plugin enable',
  ])
  expect(calls).toContain('docker plugin set weave:latest WEAVE_MTU=1400')
})

test('the stand-in runs until it is told to end, and one that cannot start is no obstacle', async () => {
  const mark = path.join(setting.home, 'mark')
  const script = `trap 'echo ended >${mark}; exit' TERM; echo up >${mark}; while :; do sleep 0.05; done`

  const end = startStandIn(['sh', '-c', script])
  await expect.poll(() => existsSync(mark) && readFileSync(mark, 'utf8')).toBe('up\n')
  await end()
  expect(readFileSync(mark, 'utf8')).toBe('ended\n')

  await startStandIn(['false'])()
  await startStandIn(['/nowhere'])()
})

test('nobody stands in where there was no router, or one with a store of its own', () => {
  expect(mayStandIn(undefined)).toBe(false)
  expect(mayStandIn('managed')).toBe(false)
  expect(mayStandIn('joined')).toBe(true)
})

test("somebody else's plugin of that name is left alone", async () => {
  const foreign = { Enabled: false, Config: { Description: 'x' }, Settings: { Env: null } }

  await expect(make('weave:latest', foreign)).rejects.toMatchObject({ code: 'PLUGIN_NAME_TAKEN' })
  expect(calls).toHaveLength(1)
})

test('without an image, or when Docker fails, it says so and leaves nothing behind', async () => {
  await expect(make('weave:latest', undefined, 'docker plugin create')).rejects.toMatchObject({
    code: 'PROGRAM_FAILED',
  })
  expect(existsSync(directoryIn(calls))).toBe(false)

  await rm(setting.context.installation.imageTar)
  await expect(make('weave:latest')).rejects.toMatchObject({ code: 'IMAGE_MISSING' })
})

test('the plugin gets every setting, and mounts nothing that may be missing on a host', () => {
  const config = pluginConfig()

  expect(config).toMatchObject({
    network: { type: 'host' },
    linux: { capabilities: ['CAP_NET_ADMIN', 'CAP_NET_RAW'] },
    mounts: [
      { source: '/var/lib', destination: '/var/lib', options: ['bind'] },
      { source: '/run', destination: '/host/run', options: ['bind'] },
      { source: '/proc/sys/net', destination: '/host/sys-net', options: ['bind'] },
    ],
    env: [
      ...managedVariables.map(({ name }) => ({ name, value: '', settable: ['value'] })),
      { name: 'WEAVE_RUN_DIR', value: '/host/run/weave' },
      { name: 'DOCKER_HOST', value: 'unix:///host/run/docker.sock' },
      { name: 'XTABLES_LOCKFILE' },
    ],
  })
})

/** @param found what `docker plugin inspect` shows; nothing for no such plugin. */
async function make(name: string, found?: unknown, failing = 'nothing'): Promise<void> {
  function run(argv: readonly string[]): ReturnType<RunProgram> {
    const call = argv.join(' ')
    calls.push(call)
    const answer = { exit: call.startsWith(failing) ? 1 : 0, stdout: '', stderr: 'failed' }
    if (call.startsWith('docker plugin inspect')) {
      return Promise.resolve(
        found === undefined
          ? { exit: 1, stdout: '', stderr: 'Error: No such plugin: weave' }
          : { ...answer, stdout: JSON.stringify(found) },
      )
    }
    if (call.startsWith('docker plugin create')) {
      const file = path.join(argv.at(-1) ?? '', 'config.json')
      created = JSON.parse(readFileSync(file, 'utf8'))
    }
    return Promise.resolve(answer)
  }
  await makePlugin({ name, isEnabled: true }, { ...setting.context, run })
}

function directoryIn(all: readonly string[]): string {
  const create = all.find((call) => call.startsWith('docker plugin create'))
  return create?.split(' ').at(-1) ?? ''
}
