import { expect, test } from 'vitest'
import { ip } from '../../test/support/values.ts'
import { planFilters, renderRuleset } from './filters.ts'
import type { ActualFilters, DesiredFilters } from './filters.ts'

const desired: DesiredFilters = {
  dataPort: 6784,
  controlPorts: [6786, 6783],
  hosts: [ip('192.0.2.2'), ip('fd00::1'), ip('192.0.2.1')],
}
const accept = '-A WEAVE-FORWARD -i wvb+ -o wvb+ -j ACCEPT'
const complete = ['-P FORWARD DROP', '-N WEAVE-FORWARD', '-A FORWARD -j WEAVE-FORWARD', accept]

const settled: ActualFilters = {
  tables: 'as nft lists them',
  loaded: { ruleset: renderRuleset(desired), tables: 'as nft lists them' },
  accepts: new Map([['iptables', complete.join('\n')]]),
}

function kinds(actual: Partial<ActualFilters>): readonly string[] {
  return planFilters(desired, { ...settled, ...actual }).map(({ kind }) => kind)
}

test('nothing is done when all is as we left it', () => {
  expect(planFilters(desired, settled)).toEqual([])
})

test('tables are loaded at the start, when missing, when altered, and when the hosts have changed', () => {
  const loaded = { ruleset: 'for other hosts', tables: settled.tables }
  expect(kinds({ loaded: undefined })).toEqual(['load-tables'])
  expect(kinds({ tables: undefined })).toEqual(['load-tables'])
  expect(kinds({ tables: 'somebody was here' })).toEqual(['load-tables'])
  expect(kinds({ loaded })).toEqual(['load-tables'])
})

test('the order in which hosts and ports are given does not matter', () => {
  const { dataPort, controlPorts, hosts } = desired
  expect(
    renderRuleset({
      dataPort,
      controlPorts: controlPorts.toReversed(),
      hosts: hosts.toReversed(),
    }),
  ).toBe(renderRuleset(desired))
})

test('IPv4 and IPv6 hosts are kept in sets of their own, and an empty set is well formed', () => {
  expect(renderRuleset(desired)).toContain('elements = { 192.0.2.1, 192.0.2.2 }')
  expect(renderRuleset(desired)).toContain('elements = { fd00::1 }')
  expect(renderRuleset({ ...desired, hosts: [] })).not.toContain('elements')
})

test('a missing jump is inserted without touching one that is there', () => {
  const [step] = planFilters(desired, { ...settled, accepts: new Map([['iptables', accept]]) })
  expect(step).toMatchObject({ kind: 'restore-accept', command: 'iptables' })
  expect(step).toMatchObject({ rules: expect.stringContaining('-I FORWARD -j WEAVE-FORWARD') })

  const flushed = complete.filter((line) => line !== accept).join('\n')
  const [again] = planFilters(desired, { ...settled, accepts: new Map([['iptables', flushed]]) })
  expect(again).toMatchObject({ rules: expect.not.stringContaining('-I FORWARD') })
})

test('foreign rules in our chain are thrown out', () => {
  const foreign = [...complete, '-A WEAVE-FORWARD -j DROP'].join('\n')
  expect(kinds({ accepts: new Map([['iptables', foreign]]) })).toEqual(['restore-accept'])
})

test('each command has its own tables and its own step', () => {
  expect(
    kinds({
      accepts: new Map([
        ['iptables', ''],
        ['ip6tables', complete.join('\n')],
        ['iptables-legacy', ''],
      ]),
    }),
  ).toEqual(['restore-accept', 'restore-accept'])
})
