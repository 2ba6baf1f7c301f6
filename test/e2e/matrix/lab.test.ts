/**
 * The lab itself: is it several Docker hosts, and does it leave nothing behind? What it promises here
 * the other end-to-end tests rely on. Knows nothing
 * of weave.
 */

import { existsSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../support/lab/command.ts'
import { createLab, ok, until } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'
import { readRecord } from '../../support/lab/record.ts'
import {
  cgroupDirectories,
  holdNamespaces,
  mountsUnder,
  processesIn,
} from '../../support/lab/remains.ts'
import { currentMode } from '../../support/mode.ts'

const patienceMs = 120_000

const { engine, store, version } = currentMode()

let lab: Lab
let host1: Host
let host2: Host

beforeAll(async () => {
  lab = await createLab({ hosts: 2, engine, store })
  host1 = lab.host(1)
  host2 = lab.host(2)
  await ok(host1.docker('run', '-d', 'busybox', 'sleep', '999'))
}, patienceMs)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, patienceMs)

test('both engines are what was asked for', async () => {
  for (const host of [host1, host2]) {
    expect(await ok(host.docker('version', '--format', '{{.Server.Version}}'))).toMatch(version)
  }
})

test('hosts have names, disks and processes of their own', async () => {
  await ok(host1.run('echo mine >/etc/mark'))

  expect(await ok(host1.run('hostname'))).toBe('host1')
  expect((await host2.run('cat /etc/mark')).code).toBe(1)
  expect(existsSync(host1.path('/etc/mark'))).toBe(true)
  expect((await ok(host1.run('pgrep -x dockerd'))).split('\n')).toHaveLength(1)
})

test('hosts reach each other by name with whole 1500 byte packets', async () => {
  await ok(host1.run('busybox ping -c 1 -w 5 -s 1472 host2'))
  await ok(host2.run('busybox ping -c 1 -w 5 -s 1472 host1'))
})

test('a cut cable is silent, and mending it heals', async () => {
  await host2.cut()
  expect((await host1.run('busybox ping -c 1 -W 1 host2')).code).toBe(1)
  await host2.mend()
  expect(
    await until(async () => (await host1.run('busybox ping -c 1 -W 1 host2')).code === 0, 10_000),
  ).toBe(true)
})

test('a power cut ends everything at once, and the disk survives', async () => {
  await ok(
    host2.docker('run', '-d', '--restart=always', '--name=steady', 'busybox', 'sleep', '999'),
  )
  const { pid } = host2

  await host2.crash()

  expect(existsSync(`/proc/${pid}`)).toBe(false)
  expect(await ok(lab.hub.run('ip -br link'))).not.toContain('lab2')
  await host2.boot()
  const isUp = ['inspect', '-f', '{{.State.Running}}', 'steady']
  expect(
    await until(async () => (await host2.docker(...isUp)).stdout.trim() === 'true', 20_000),
  ).toBe(true)
}, 60_000)

test('two labs with the same addresses run side by side', async () => {
  await using other = await createLab({
    hosts: 1,
    engine,
    store: 'none',
    docker: 'stopped',
  })

  expect(other.host(1).ip).toBe(host1.ip)
  expect(other.host(1).pid).not.toBe(host1.pid)
}, 60_000)

test('leaves no namespace, mount, process, link, control group or file', async () => {
  const { machines, cgroup } = await readRecord(lab.directory)
  const pids = new Set([lab.hub, host1, host2].map(({ pid }) => pid))
  const current = machines.filter(({ pid }) => pids.has(pid)).flatMap((each) => each.namespaces)
  expect(processesIn(current, cgroup).length).toBeGreaterThan(6)
  const before = await ownLinks()
  const held = await Promise.all([lab.hub, host1, host2].map(({ pid }) => holdNamespaces(pid)))

  await lab[Symbol.asyncDispose]()

  expect(processesIn(current, cgroup)).toEqual([])
  await Promise.all(held.map((namespaces) => namespaces[Symbol.asyncDispose]()))
  expect(mountsUnder(lab.directory)).toEqual([])
  expect(cgroupDirectories(cgroup)).toEqual([])
  expect(existsSync(lab.directory)).toBe(false)
  expect(await ownLinks()).toEqual(before)
  expect(before.filter((name) => name.startsWith('lab') || name.startsWith('wv'))).toEqual([])
}, 60_000)

/** Links in this computer's own network namespace, which the lab never touches. */
async function ownLinks(): Promise<string[]> {
  const text = await ok(run(['ip', '-o', 'link']))
  return text.split('\n').map((line) => line.split(': ')[1] ?? '')
}
