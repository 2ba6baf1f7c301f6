import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hostId, ip } from '../../test/support/values.ts'
import type { Host } from '../model/cluster.ts'
import { readPaths } from '../settings/paths.ts'
import { openFacts } from './facts.ts'
import type { Facts } from './facts.ts'
import { renderStatus } from './status.ts'

let folder = ''
let facts: Facts

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'status-'))
  facts = await openFacts(readPaths({ WEAVE_STATE_DIR: folder }), () => {})
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('a host of the other IP family is named, for no tunnel leads there', () => {
  const self = host('self', '192.0.2.1')
  expect(warningsWith(self, host('near', '192.0.2.2'))).toEqual([])
  expect(warningsWith(self, host('near', '192.0.2.2'), host('far', 'fd99::3'))).toEqual([
    expect.stringMatching(/from 192\.0\.2\.1 to far \(fd99::3\)/),
  ])
})

function host(name: string, address: string): Host {
  return {
    id: hostId(name),
    nickname: name,
    address: ip(address),
    controlPort: 6783,
    dataPort: 6784,
    instance: 'i',
    version: '0',
  }
}

function warningsWith(self: Host, ...others: readonly Host[]): readonly string[] {
  return renderStatus({
    self,
    facts,
    hosts: new Map([self, ...others].map((one) => [one.id, one])),
    host: { mtuBytes: 1450, runAs: 'foreground', startedAt: '', pid: 1 },
    ready: true,
    cluster: { peers: [] },
    store: {
      kind: 'managed',
      endpoints: [],
      prefix: '',
      connected: true,
      foreignKeys: [],
      revision: '0',
    },
    networks: new Map(),
    pools: [],
    dns: {
      on: true,
      domain: 'weave.local',
      ttlSeconds: 1,
      listening: [],
      containers: 0,
      questions: {},
      args: '',
      added: [],
    },
    definitions: [],
    remote: [],
    loops: [],
    warnings: [],
  }).warnings
}
