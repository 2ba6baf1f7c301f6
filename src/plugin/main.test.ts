/** The process itself: its signals, its exit status, and what it leaves behind. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createPluginLab } from '../../test/support/plugin-lab.ts'
import type { PluginLab } from '../../test/support/plugin-lab.ts'

test('SIGTERM ends it with 0, after the call under way, and the socket is gone', async () => {
  await using lab = await createPluginLab()
  await lab.startRouter()
  lab.router.hook = () => sleep(300)
  const plugin = run(lab, ['--scope=global'])
  const ended = once(plugin, 'exit')
  await expect.poll(() => ask(lab), { timeout: 10_000 }).toBe('answered')
  expect((await stat(lab.socket)).mode & 0o777).toBe(0o600)

  const early = lab.dockerd.call('NetworkDriver.DeleteNetwork', { NetworkID: 'n1' })
  await expect.poll(() => lab.router.calls.length).toBe(1)
  plugin.kill('SIGTERM')

  expect(await early).toEqual({})
  expect(await ended).toEqual([0, null])
  await expect(stat(lab.socket)).rejects.toThrow('ENOENT')
}, 20_000)

test('a second one on the same socket, and a wrong flag, end with a fault', async () => {
  await using lab = await createPluginLab()
  await lab.startPlugin()

  expect(await output(run(lab, ['--scope=global']))).toMatch(/"code":"SOCKET_IN_USE"/)
  expect(await output(run(lab, ['--scope=globl']))).toMatch(/"code":"BAD_ARGUMENT".*global/)
  expect(await lab.dockerd.call('Plugin.Activate')).toBeDefined()
}, 20_000)

function run(lab: PluginLab, flags: readonly string[]): ChildProcess {
  const main = new URL('main.ts', import.meta.url).pathname
  return spawn(process.execPath, ['--import', 'tsx', main, `--socket=${lab.socket}`, ...flags], {
    env: { ...process.env, ...lab.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

async function output(child: ChildProcess): Promise<string> {
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(child, 'close')
  return text
}

async function ask(lab: PluginLab): Promise<string> {
  return lab.dockerd.call('Plugin.Activate').then(
    () => 'answered',
    () => 'not yet',
  )
}
