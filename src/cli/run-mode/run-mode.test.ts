import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readPaths } from '../../settings/paths.ts'
import { readPluginOptions } from '../../settings/plugin.ts'
import type { RunProgram } from '../program.ts'
import { chooseKeeper } from './choose.ts'
import { containerArguments, createContainerKeeper } from './container.ts'
import type { Keeper } from './keeper.ts'
import { createProcessKeeper } from './process.ts'
import { pluginService, routerService } from './service.ts'
import { createSystemdKeeper, formatUnit } from './systemd.ts'

const home = mkdtempSync(path.join(tmpdir(), 'weave-mode-'))
const { signal } = new AbortController()
const installation = {
  version: '1.2.3',
  router: [process.execPath, '/opt/my weave/router/main.js'],
  plugin: [process.execPath, '/opt/my weave/plugin/main.js'],
  imageTar: path.join(home, 'image.tar'),
}
const where = { paths: readPaths({}), installation, restart: 'always' } as const
const router = routerService(where)
const blue = pluginService(readPluginOptions({ socket: '/run/docker/plugins/blue.sock' }), where)

afterAll(() => rmSync(home, { recursive: true, force: true }))

test('the unit of the router starts before Docker and is always started again', () => {
  const text = formatUnit(router)
  expect(text).toContain('Before=docker.service\n')
  expect(text).toContain('Restart=always\n')
  expect(text).toContain(`ExecStart=${process.execPath} "/opt/my weave/router/main.js"\n`)
  expect(formatUnit(routerService({ ...where, restart: 'no' }))).toContain('Restart=no\n')
})

test('what systemd would take as its own is escaped', () => {
  const text = formatUnit({
    ...router,
    argv: ['/bin/a', '50%', '$HOME', 'a "b"'],
    env: { A: 'b c' },
  })
  expect(text).toContain(String.raw`ExecStart=/bin/a 50%% $$HOME "a \"b\""`)
  expect(text).toContain('Environment="A=b c"')
})

test.skipIf(!existsSync('/usr/bin/systemd-analyze'))(
  'systemd finds no fault with the units',
  () => {
    const units = [router, blue].map((service) => ({
      ...service,
      argv: ['/bin/true', ...service.argv.slice(1)],
    }))
    const files = units.map(({ unit }) => path.join(home, unit))
    for (const [index, service] of units.entries())
      writeFileSync(files[index] ?? '', formatUnit(service))
    const env = { ...process.env, SYSTEMD_UNIT_PATH: `${home}:` }
    const said = execFileSync('systemd-analyze', ['verify', '--man=no', ...files], {
      env,
      stdio: 'pipe',
    })
    expect(said.toString()).toBe('')
  },
)

test('a unit is written, enabled and started; a foreign one is left alone', async () => {
  const fake = fakePrograms({ 'systemctl is-active': 'activating\n' })
  const keeper = createSystemdKeeper({ run: fake.run, unitDir: home, bootedMark: home })
  expect(await keeper.obstacle(signal)).toBeUndefined()
  const handle = await keeper.start(blue, signal)
  expect(handle).toEqual({
    service: 'plugin-blue',
    runAs: 'systemd',
    target: 'weave-plugin@blue.service',
  })
  expect(await keeper.isUp(handle, signal)).toBe(true)
  await keeper.stop(handle, signal)
  expect(fake.calls).toEqual([
    'systemctl daemon-reload',
    'systemctl enable weave-plugin@blue.service',
    'systemctl restart weave-plugin@blue.service',
    'systemctl is-active weave-plugin@blue.service',
    'systemctl disable --now weave-plugin@blue.service',
  ])
  const unit = path.join(home, handle.target)
  expect(await keeper.remove(handle, signal)).toEqual([`unit ${unit}`])
  writeFileSync(unit, '[Unit]\n')
  await expect(keeper.start(blue, signal)).rejects.toThrow(/somebody else/)
  expect(await keeper.remove(handle, signal)).toEqual([])
  expect(readFileSync(unit, 'utf8')).toBe('[Unit]\n')
})

test('the container shares the network and directories of the host, under a label of ours', () => {
  expect(
    containerArguments(blue, { image: 'weave:1.2.3', engineSocket: '/x/docker.sock' }),
  ).toEqual([
    'run',
    '--detach',
    '--name=weaveplugin-blue',
    '--label=works.weave.service=plugin-blue',
    '--restart=always',
    '--net=host',
    '--cap-add=NET_ADMIN',
    '--cap-add=NET_RAW',
    '--volume=/var/lib/weave:/var/lib/weave',
    '--volume=/run/weave:/run/weave',
    '--volume=/var/log/weave:/var/log/weave',
    '--volume=/run/docker/plugins:/run/docker/plugins',
    '--volume=/x/docker.sock:/var/run/docker.sock',
    'weave:1.2.3',
    'weave',
    'plugin',
    '--socket=/run/docker/plugins/blue.sock',
    '--log-level=info',
    '--scope=auto',
  ])
})

test('the router’s container may change settings of the kernel’s, and the plugin’s may not', () => {
  const files = { image: 'weave:1.2.3', engineSocket: '/x/docker.sock' }
  const mount = '--volume=/proc/sys/net:/host/sys-net'
  expect(containerArguments(router, files)).toContain(mount)
  expect(containerArguments(blue, files)).not.toContain(mount)
})

test('the image is imported when it is missing or of another build', async () => {
  writeFileSync(installation.imageTar, 'tar')
  const service = { ...router, directories: [path.join(home, 'state')] }
  const missing = fakePrograms({
    'docker image inspect': undefined,
    'docker container inspect': undefined,
  })
  await containerKeeper(missing.run).start(service, signal)
  const change = missing.calls.find((call) => call.startsWith('docker import'))
  const build = /works\.weave\.build=(\S+)/.exec(change ?? '')?.[1]
  expect(change).toMatch(/image\.tar weave:1\.2\.3$/)
  const present = fakePrograms({
    'docker image inspect': build,
    'docker container inspect': undefined,
  })
  await containerKeeper(present.run).start(service, signal)
  expect(present.calls.filter((call) => call.startsWith('docker import'))).toEqual([])
  const older = fakePrograms({
    'docker image inspect': '1-2',
    'docker container inspect': undefined,
  })
  await containerKeeper(older.run).start(service, signal)
  expect(older.calls.filter((call) => call.startsWith('docker import'))).toHaveLength(1)
})

test('a container of that name that is not ours is named, and never removed', async () => {
  const fake = fakePrograms({ 'docker container inspect': '|running|weaveworks/weave:2.8.1' })
  const keeper = containerKeeper(fake.run)
  await expect(keeper.start(router, signal)).rejects.toThrow(/"weave".*weaveworks\/weave:2\.8\.1/)
  await keeper.stop({ service: 'router', runAs: 'container', target: 'weave' }, signal)
  expect(fake.calls.filter((call) => /^docker (?:rm|stop|run)/.test(call))).toEqual([])
})

test('our own container is stopped before it is removed, and does not come back', async () => {
  const fake = fakePrograms({ 'docker container inspect': 'router|running|weave:1.2.3' })
  const handle = { service: 'router', runAs: 'container', target: 'weave' } as const
  const keeper = containerKeeper(fake.run)
  expect(await keeper.isUp(handle, signal)).toBe(true)
  await keeper.letGo(handle, signal)
  await keeper.stop(handle, signal)
  expect(fake.calls.filter((call) => !call.includes('inspect'))).toEqual([
    'docker update --restart=no weave',
    'docker stop --time=20 weave',
    'docker rm --force weave',
  ])
})

test('the first way that works is chosen, unless one is asked for', async () => {
  const none = fakePrograms({ 'docker version': undefined })
  const engine = fakePrograms({ 'docker version': '20.10.24' })
  expect((await chooseKeeper(keepers(none.run), { asked: undefined, signal })).mode).toBe('process')
  expect((await chooseKeeper(keepers(engine.run), { asked: undefined, signal })).mode).toBe(
    'container',
  )
  expect((await chooseKeeper(keepers(engine.run), { asked: 'process', signal })).mode).toBe(
    'process',
  )
  await expect(chooseKeeper(keepers(none.run), { asked: 'container', signal })).rejects.toThrow(
    /as container here: no Docker engine answers/,
  )
  await expect(chooseKeeper(keepers(engine.run), { asked: 'systemd', signal })).rejects.toThrow(
    /systemd/,
  )
})

function containerKeeper(run: RunProgram): Keeper {
  return createContainerKeeper({ run, version: '1.2.3', imageTar: installation.imageTar })
}

function keepers(run: RunProgram): readonly Keeper[] {
  const systemd = createSystemdKeeper({ run, unitDir: home, bootedMark: path.join(home, 'no') })
  return [systemd, containerKeeper(run), createProcessKeeper({ env: {} })]
}

/** Programs that answer by the first words of their command line; undefined means that they fail. */
function fakePrograms(answers: Readonly<Record<string, string | undefined>>): {
  run: RunProgram
  calls: string[]
} {
  const calls: string[] = []
  return {
    calls,
    run(argv) {
      const call = argv.join(' ')
      calls.push(call)
      const known = Object.keys(answers).find((words) => call.startsWith(words))
      const stdout = known === undefined ? '' : answers[known]
      return Promise.resolve({
        exit: stdout === undefined ? 1 : 0,
        stdout: stdout ?? '',
        stderr: '',
      })
    },
  }
}
