import { afterAll, beforeAll, describe } from 'vitest'
import { createEtcdStore } from '../../src/store/etcd.ts'
import { testStore } from '../../src/store/store.contract.ts'
import { startEtcd } from '../support/etcd.ts'
import type { TestEtcd } from '../support/etcd.ts'

let etcd: TestEtcd

beforeAll(async () => {
  etcd = await startEtcd()
})
afterAll(() => etcd[Symbol.asyncDispose]())

describe('the store on etcd', () => {
  testStore(async () => createEtcdStore({ endpoints: [etcd.address], prefix: '' }))
})

describe('the store on etcd, under a prefix', () => {
  testStore(async () => createEtcdStore({ endpoints: [etcd.address], prefix: '/some/where' }))
})
