/**
 * Launch, status, stop and reset for real: as processes, with a small program in the router's place.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { testContext } from '../../test/support/cli-context.ts'
import type { TestContext } from '../../test/support/cli-context.ts'
import { notInSwarm } from '../model/faults.ts'
import { formatFault } from '../settings/report.ts'
import { run } from './run.ts'

const fake = [process.execPath, path.resolve('test/support/fake-router.mjs')]
const homes: TestContext[] = []

afterEach(async () => {
  for (const host of homes.splice(0)) {
    await run(['reset', '--force'], { ...host.context, print: () => {} })
    rmSync(host.home, { recursive: true, force: true })
  }
})

test('a launch says what it did, and a second one is refused with the way out', async () => {
  const host = makeHost()
  await run(['launch', '--run-as=process', '--mtu=1400', 'host1'], host.context)
  expect(host.noted).toEqual(['weave: warning: 10.0.0.9 did not answer'])
  expect(host.printed[0]).toBe(
    "weave: host2 (10.99.0.3) joined host1's cluster (2 hosts); store: managed etcd on 10.99.0.2:6785",
  )
  expect(host.printed[1]).toContain('trusted')
  expect(readFileSync(host.context.paths.settingsFile, 'utf8')).toContain('"--mtu=1400"')
  expect(readFileSync(host.context.paths.settingsFile, 'utf8')).toContain('"--run-as=process"')
  await run(['launch', '--run-as=process'], host.context)
  expect(host.exits).toEqual([75])
  expect(host.noted.at(-1)).toMatch(/already running.*"weave stop".*ALREADY_RUNNING/s)
})

test('a killed router is started again, a stopped one is not', async () => {
  const host = makeHost()
  await run(['launch', '--run-as=process'], host.context)
  const before = await pidOf(host)
  process.kill(before, 'SIGKILL')
  await until(async () => (await pidOf(host).catch(() => before)) !== before)
  await run(['stop'], host.context)
  expect(host.printed.at(-1)).toMatch(/router stopped/)
  await sleep(1200)
  expect(existsSync(host.context.paths.routerSocket)).toBe(false)
  await run(['stop'], host.context)
  expect(host.printed.at(-1)).toMatch(/was not running/)
  expect(host.exits).toEqual([])
}, 15_000)

test('with --no-restart a killed router stays down, and can be launched again', async () => {
  const host = makeHost()
  await run(['launch', '--run-as=process', '--no-restart'], host.context)
  process.kill(await pidOf(host), 'SIGKILL')
  await until(async () => !isRunning(await supervisorOf(host)))
  await run(['launch', '--run-as=process'], host.context)
  expect(host.exits).toEqual([])
})

test('a router whose supervisor was killed is asked through its socket to end', async () => {
  const host = makeHost()
  await run(['launch', '--run-as=process'], host.context)
  process.kill(await supervisorOf(host), 'SIGKILL')
  await run(['stop'], host.context)
  expect(host.printed.at(-1)).toMatch(/router stopped/)
  expect(existsSync(host.context.paths.routerSocket)).toBe(false)
})

test('a pid file that names somebody else is no router of ours', async () => {
  const host = makeHost()
  await run(['launch', '--run-as=process'], host.context)
  const supervisor = await supervisorOf(host)
  writeFileSync(host.context.paths.routerPidFile, `${process.pid}\n`)
  await run(['stop'], host.context)
  expect(host.printed.at(-1)).toMatch(/router stopped/)
  await until(() => Promise.resolve(!isRunning(supervisor)))
})

test('a refusal while preparing is shown, and nothing is started', async () => {
  const host = makeHost({ FAKE_ROUTER: 'refuse' })
  await run(['launch', '--run-as=process', 'host9'], host.context)
  expect(host.exits).toEqual([78])
  expect(host.noted).toEqual(['weave: it is broken\n  Mend it. [TEST_FAULT]'])
  expect(existsSync(host.context.paths.startedDir)).toBe(false)
})

test('a router that dies while it is waited for is shown, and leaves no loop behind', async () => {
  const host = makeHost({ FAKE_ROUTER: 'fault' })
  await run(['launch', '--run-as=process'], host.context)
  expect(host.exits).toEqual([78])
  expect(host.noted.at(-1)).toBe('weave: it is broken\n  Mend it. [TEST_FAULT]')
  expect(readdirSync(host.context.paths.startedDir)).toEqual([])
  expect(existsSync(host.context.paths.routerPidFile)).toBe(false)
})

test('a router that ends without a word points at its log', async () => {
  const host = makeHost({ FAKE_ROUTER: 'crash' })
  await run(['launch', '--run-as=process', '--no-restart'], host.context)
  expect(host.exits).toEqual([69])
  expect(host.noted.at(-1)).toContain(host.context.paths.routerLogFile)
})

test('plugins need a router, may be several, and outlive it', async () => {
  const host = makeHost()
  const [blue, red] = ['blue', 'red'].map((name) => path.join(host.home, `${name}.sock`))
  await run(['launch-plugin', `--socket=${blue}`], host.context)
  expect(host.noted.at(-1)).toMatch(/ROUTER_NOT_RUNNING/)
  await run(['launch', '--run-as=process'], host.context)
  await run(['launch-plugin', `--socket=${blue}`], host.context)
  await run(['launch-plugin', `--socket=${red}`], host.context)
  expect(host.printed.slice(-2)).toEqual([
    `weave: driver "blue" answers on ${blue}`,
    `weave: driver "red" answers on ${red}`,
  ])
  await run(['launch-plugin', `--socket=${blue}`], host.context)
  expect(host.printed.at(-1)).toBe(`weave: a plugin already answers on ${blue}`)
  await run(['status'], host.context)
  expect(host.printed.at(-1)).toContain(`blue on ${blue}, as process, answering`)
  await run(['stop'], host.context)
  expect(host.printed.at(-1)).toContain(`${blue}, ${red}`)
  await run(['stop-plugin', `--socket=${blue}`], host.context)
  expect(existsSync(blue ?? '')).toBe(false)
  await run(['stop-plugin', '--all'], host.context)
  expect(host.printed.at(-1)).toBe(`weave: stopped: ${red}`)
  expect(host.exits).toEqual([69])
})

test('without a router status says why there is none, where somebody has left word', async () => {
  const host = makeHost()
  await run(['status'], host.context)
  expect(host.noted.at(-1)).toContain('ROUTER_NOT_RUNNING')

  const { routerFaultFile } = host.context.paths
  mkdirSync(path.dirname(routerFaultFile), { recursive: true })
  writeFileSync(routerFaultFile, `${formatFault(notInSwarm('inactive'))}\n`)
  await run(['status'], host.context)
  expect(host.noted.at(-1)).toMatch(/waits for a swarm.*NOT_IN_SWARM/s)
  expect(host.exits).toEqual([69, 75])
})

test('status shows views as text and as JSON', async () => {
  const host = makeHost()
  await run(['status'], host.context)
  expect(host.exits).toEqual([69])
  await run(['launch', '--run-as=process'], host.context)
  await run(['status', 'connections'], host.context)
  expect(host.printed.at(-1)).toMatch(
    /host1 +127\.0\.0\.1:1 +6784 +unreachable +connect ECONNREFUSED/,
  )
  expect(host.printed.at(-1)).toMatch(/host2 +10\.99\.0\.3:6783 +6784 +this host$/)
  await run(['status', 'peers', '-o', 'json'], host.context)
  expect(JSON.parse(host.printed.at(-1) ?? '')).toHaveLength(2)
  await run(['status', 'store', '--output=yaml'], host.context)
  expect(host.noted.at(-1)).toMatch(/--output: "yaml".*text, json/s)
})

test('reset asks, removes what is ours and nothing else, and may be repeated', async () => {
  const host = makeHost()
  await run(['launch', '--run-as=process'], host.context)
  const foreign = path.join(host.context.paths.stateDir, 'weave-netdata.db')
  writeFileSync(foreign, 'of another program')
  await run(['reset'], host.context)
  expect(host.noted.at(-1)).toMatch(/NOT_CONFIRMED/)
  expect(existsSync(host.context.paths.routerSocket)).toBe(true)
  await run(['reset'], { ...host.context, ask: () => Promise.resolve('y') })
  expect(host.printed).toContain('  links: 3')
  expect(host.printed).toContain(`  ${host.context.paths.settingsFile}`)
  expect(readdirSync(host.context.paths.stateDir)).toEqual(['weave-netdata.db'])
  expect(existsSync(host.context.paths.runDir)).toBe(false)
  expect(existsSync(host.context.paths.logDir)).toBe(false)
  await run(['reset', '--force'], host.context)
  expect(host.printed.at(-1)).toBe('  links: 2')
  expect(host.exits).toEqual([64])
})

test('without root nothing is tried', async () => {
  const host = makeHost()
  await run(['launch'], { ...host.context, isRoot: false })
  expect(host.exits).toEqual([77])
})

function makeHost(env: Readonly<Record<string, string>> = {}): TestContext {
  const host = testContext({ installation: { router: fake, plugin: fake } })
  const made = { ...host, context: { ...host.context, env: { ...host.context.env, ...env } } }
  homes.push(made)
  return made
}

async function pidOf(host: TestContext): Promise<number> {
  const printed: string[] = []
  await run(['status', '-o', 'json'], {
    ...host.context,
    print: (line) => printed.push(line),
    note: () => {},
    exitWith: () => {},
  })
  return JSON.parse(printed[0] ?? '').host.pid
}

function supervisorOf(host: TestContext): Promise<number> {
  return Promise.resolve(Number(readFileSync(host.context.paths.routerPidFile, 'utf8')))
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 60; tries += 1) {
    if (await condition()) return
    await sleep(100)
  }
  throw new Error('it did not happen')
}
