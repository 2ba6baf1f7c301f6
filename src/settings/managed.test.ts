import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Fault } from '../model/fault.ts'
import { readLaunchOptions } from './launch.ts'
import { managedVariables, readManagedSettings } from './managed.ts'

test('nothing set, or set to nothing, is as a launch without flags', () => {
  const empty = Object.fromEntries(managedVariables.map(({ name }) => [name, ' ']))

  expect(readManagedSettings({})).toEqual(readLaunchOptions({}, []))
  expect(readManagedSettings(empty)).toEqual(readLaunchOptions({}, []))
})

test('each variable is read as its flag', () => {
  const settings = readManagedSettings({
    WEAVE_PEERS: ' host1, 10.0.0.2:7000 ',
    WEAVE_CLUSTER_STORE: 'etcd://10.0.0.9:2379/blue',
    WEAVE_ADVERTISE: '10.0.0.1',
    WEAVE_NICKNAME: 'one',
    WEAVE_PORT: '7000',
    WEAVE_MTU: '1400',
    WEAVE_LOG_LEVEL: 'debug',
  })

  expect(settings).toEqual({
    peers: ['host1', '10.0.0.2:7000'],
    clusterStore: { endpoints: ['10.0.0.9:2379'], prefix: '/blue' },
    address: '10.0.0.1',
    nickname: 'one',
    port: 7000,
    mtuBytes: 1400,
    logLevel: 'debug',
    restart: true,
  })
})

test.each([
  ['WEAVE_PEERS', 'http://host1', 'host1'],
  ['WEAVE_CLUSTER_STORE', 'consul://a:1', 'etcd'],
  ['WEAVE_ADVERTISE', 'host1', 'IP address'],
  ['WEAVE_PORT', '0', 'from 1'],
  ['WEAVE_MTU', '15oo', 'whole number'],
  ['WEAVE_LOG_LEVEL', 'loud', 'warning'],
])('%s=%s is refused under its own name, saying what would be right', (name, value, right) => {
  const fault = faultOf({ [name]: value })

  expect(fault.code).toBe('BAD_PLUGIN_SETTING')
  expect(fault.message).toContain(`${name} of the plugin: "${value}"`)
  expect(fault.remedy).toContain(right)
  expect(fault.remedy).toContain(`docker plugin set weave ${name}=`)
})

test('docs/operations/swarm.md lists the variables as the plugin does', () => {
  const rows = readFileSync('docs/operations/swarm.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `WEAVE_'))
    .map((line) => line.replaceAll(/ +\|/g, ' |'))
  expect(rows).toEqual(
    managedVariables.map(({ name, description }) => `| \`${name}\` | ${description} |`),
  )
})

function faultOf(env: Record<string, string>): Fault {
  try {
    readManagedSettings(env)
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
