import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

const commands = ['launch', 'launch-plugin', 'status', 'stop', 'stop-plugin', 'reset', 'version']

test.each([
  ['lanuch', 'launch'],
  ['Launch', 'launch'],
  ['launch-plugn', 'launch-plugin'],
  ['stopplugin', 'stop-plugin'],
  ['rst', undefined],
  ['stat', 'status'],
  ['sotp', 'stop'],
  ['ver', 'version'],
  ['frobnicate', undefined],
  ['', undefined],
])('%s is meant to be %s', (word, meant) => {
  expect(nearest(word, commands)).toBe(meant)
})
