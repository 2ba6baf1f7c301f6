import { expect, test } from 'vitest'
import { networkId, vni } from '../../test/support/values.ts'
import type { KnownNetwork } from './facts.ts'
import { planMemory } from './memory.ts'

const net: KnownNetwork = { id: networkId('net'), vni: vni(7), subnets: [], multicast: false }
const published = { ...net, published: true }
const inCluster = new Set([net.id])
const nowhere = new Set<KnownNetwork['id']>()

test('a network that was published and is gone was removed by somebody: forget it', () => {
  expect(planMemory(nowhere, { networks: [published], inUse: nowhere, kept: nowhere })).toEqual([
    { kind: 'forget', id: net.id },
  ])
})

test('but not while containers here use it: it is to be published again', () => {
  expect(planMemory(nowhere, { networks: [published], inUse: inCluster, kept: nowhere })).toEqual(
    [],
  )
})

test('nor while the engine here still has it, which recalls nothing', () => {
  const kept = inCluster
  expect(planMemory(nowhere, { networks: [published], inUse: nowhere, kept })).toEqual([])
  expect(planMemory(inCluster, { networks: [], inUse: nowhere, kept })).toEqual([])
})

test('nor before it was ever published', () => {
  expect(planMemory(nowhere, { networks: [net], inUse: nowhere, kept: nowhere })).toEqual([])
})

test('that it was published is noted once', () => {
  expect(planMemory(inCluster, { networks: [net], inUse: nowhere, kept: nowhere })).toEqual([
    { kind: 'note-published', network: net },
  ])
  expect(planMemory(inCluster, { networks: [published], inUse: nowhere, kept: nowhere })).toEqual(
    [],
  )
})

test('a removed network is left to the publication, which knows when its records are gone', () => {
  const removed = { ...published, removed: true }
  expect(planMemory(inCluster, { networks: [removed], inUse: nowhere, kept: nowhere })).toEqual([])
  expect(planMemory(nowhere, { networks: [removed], inUse: nowhere, kept: nowhere })).toEqual([])
})

test('a network in use that was lost from the disk is recalled from the cluster, if that knows it', () => {
  expect(planMemory(inCluster, { networks: [], inUse: inCluster, kept: nowhere })).toEqual([
    { kind: 'recall', id: net.id },
  ])
  expect(planMemory(nowhere, { networks: [], inUse: inCluster, kept: nowhere })).toEqual([])
  expect(planMemory(inCluster, { networks: [], inUse: nowhere, kept: nowhere })).toEqual([])
})
