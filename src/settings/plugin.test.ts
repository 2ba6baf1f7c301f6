import { Command } from 'commander'
import { expect, test } from 'vitest'
import { Fault } from '../model/fault.ts'
import {
  addPluginOptions,
  driverOf,
  pluginFlags,
  pluginSettings,
  readPluginOptions,
} from './plugin.ts'
import type { PluginSettings } from './plugin.ts'

test('nothing given means the usual socket, whose base name is the driver', () => {
  const settings = read()
  expect(settings).toEqual({
    socket: '/run/docker/plugins/weave.sock',
    logLevel: 'info',
    scope: 'auto',
  })
  expect(driverOf(settings.socket)).toBe('weave')
})

test('settings survive the way through flags', () => {
  const settings = read('--socket=/x/blue.sock', '--log-level', 'debug', '--scope=local')
  expect(settings).toEqual({ socket: '/x/blue.sock', logLevel: 'debug', scope: 'local' })
  expect(read(...pluginFlags(settings))).toEqual(settings)
  expect(pluginSettings.parse(settings)).toEqual(settings)
})

test.each([
  ['--socket=weave.sock', '/run/docker/plugins/weave.sock'],
  ['--socket=', 'whole path'],
  ['--socket=/run/docker/plugins/weave', '/run/docker/plugins/weave.sock'],
  ['--socket=/run/docker/plugins/.sock', 'whole path|base name|letters'],
  ['--socket=/run/docker/plugins/we ave.sock', 'letters'],
  ['--socket=/run/docker/plugins/bridge.sock', "Docker's own"],
  [`--socket=/${'d'.repeat(100)}/weave.sock`, '107'],
  ['--scope=globl', 'Did you mean global'],
  ['--scope=swarm', 'auto, global, local'],
  ['--log-level=verbose', 'debug, info, warning, error'],
])('%s is refused, saying what would be right', (argument, right) => {
  const fault = faultOf(argument)
  expect(fault).toMatchObject({ code: 'BAD_ARGUMENT', exit: 64 })
  expect(fault.message).toContain(argument.split('=')[0])
  expect(fault.remedy).toMatch(new RegExp(right))
})

function read(...argv: string[]): PluginSettings {
  const command = addPluginOptions(new Command('plugin')).exitOverride()
  command.parse(argv, { from: 'user' })
  return readPluginOptions(command.opts())
}

function faultOf(...argv: string[]): Fault {
  try {
    read(...argv)
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
