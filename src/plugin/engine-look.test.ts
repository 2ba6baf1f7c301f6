import { expect, test } from 'vitest'
import { settingsOf } from '../../test/support/spread-world.ts'
import { networkId } from '../../test/support/values.ts'
import { compareNetworks } from './engine-look.ts'

const web = {
  id: 'n1',
  name: 'web',
  driver: 'weave',
  scope: 'local',
  settings: settingsOf('10.44.0.0/16'),
}
const none = new Set<string>()
const remembered = { n1: networkId('10.44.0.0-16') }

test('what both know is left alone', () => {
  expect(
    compareNetworks({
      remembered,
      forgotten: none,
      networks: [web],
      driverName: 'weave',
      before: none,
    }),
  ).toEqual({ learned: {}, vanished: [], suspects: none })
})

test('a network that is missing is suspected, and counts as removed when it is missing again', () => {
  const first = compareNetworks({
    remembered,
    forgotten: none,
    networks: [],
    driverName: 'weave',
    before: none,
  })
  expect(first).toEqual({ learned: {}, vanished: [], suspects: new Set(['n1']) })

  const before = first.suspects
  expect(
    compareNetworks({ remembered, forgotten: none, networks: [], driverName: 'weave', before }),
  ).toEqual({
    learned: {},
    vanished: ['n1'],
    suspects: none,
  })
  expect(
    compareNetworks({ remembered, forgotten: none, networks: [web], driverName: 'weave', before })
      .vanished,
  ).toEqual([])
})

test('only networks of this driver, in local scope, are learned', () => {
  const networks = [
    web,
    { ...web, id: 'n2', driver: 'bridge' },
    { ...web, id: 'n3', scope: 'swarm' },
    { ...web, id: 'n4', settings: { ...web.settings, ipam: [] } },
  ]

  expect(
    compareNetworks({
      remembered: {},
      forgotten: none,
      networks,
      driverName: 'weave',
      before: none,
    }).learned,
  ).toEqual(remembered)
})

test('a network that Docker is removing just now is not learned again', () => {
  const forgotten = new Set(['n1'])
  const compared = { remembered: {}, networks: [web], driverName: 'weave', before: none }
  expect(compareNetworks({ ...compared, forgotten }).learned).toEqual({})
  expect(compareNetworks({ ...compared, forgotten: none }).learned).toEqual(remembered)
})
