/**
 * A program in place of the router or the plugin, for tests of what keeps them up.
 *
 * Understands --prepare and --reset; otherwise answers status (or /Plugin.Activate) on its socket
 * until it is told to end. FAKE_ROUTER=refuse refuses to prepare, =fault ends with a fault file,
 * =crash ends without.
 */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'

const runDir = process.env.WEAVE_RUN_DIR
const stateDir = process.env.WEAVE_STATE_DIR
const socketFlag = process.argv.find((word) => word.startsWith('--socket='))
const socket = socketFlag?.slice('--socket='.length) ?? path.join(runDir, 'weave.sock')
const fault = `${JSON.stringify({ fault: { code: 'TEST_FAULT', message: 'it is broken', remedy: 'Mend it.', exit: 78 } })}\n`
const behaviour = process.env.FAKE_ROUTER ?? ''

if (process.argv.includes('--prepare')) prepare()
else if (process.argv.includes('--reset')) reset()
else if (behaviour === 'fault') {
  writeFileSync(path.join(runDir, 'router.fault.json'), fault)
  process.exit(78)
} else if (behaviour === 'crash') process.exit(1)
else serve()

function prepare() {
  if (behaviour === 'refuse') {
    process.stderr.write(`some log line\n${fault}`)
    process.exit(78)
  }
  mkdirSync(runDir, { recursive: true })
  mkdirSync(stateDir, { recursive: true })
  writeFileSync(path.join(stateDir, 'settings.json'), JSON.stringify(process.argv.slice(2)))
  const prepared = { cluster: 'joined', via: 'host1', warnings: ['10.0.0.9 did not answer'] }
  process.stdout.write(`${JSON.stringify({ prepared })}\n`)
}

function reset() {
  process.stdout.write(`${JSON.stringify({ reset: { removed: { links: 2, rules: 0 } } })}\n`)
}

function serve() {
  rmSync(socket, { force: true })
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(answer(request.url)))
    if (['/v1/reset', '/v1/stop'].includes(request.url)) response.once('finish', end)
  })
  server.listen(socket)
  process.once('SIGTERM', end)

  function end() {
    rmSync(socket, { force: true })
    process.exit(0)
  }
}

function answer(url) {
  if (url === '/v1/status') return status()
  if (url === '/v1/reset') return { removed: { links: 3 } }
  return url === '/Plugin.Activate' ? { Implements: ['NetworkDriver'] } : {}
}

function status() {
  const peer = { controlPort: 6783, dataPort: 6784, version: '1.2.3', endpoints: 0 }
  return {
    version: '1.2.3',
    ready: true,
    host: {
      id: 'b2',
      nickname: 'host2',
      address: '10.99.0.3',
      controlPort: 6783,
      dataPort: 6784,
      mtuBytes: 1450,
      runAs: 'process',
      startedAt: '2026-01-01T00:00:00Z',
      pid: process.pid,
    },
    cluster: { id: 'c1', peers: ['host1'] },
    store: {
      kind: 'joined',
      endpoints: ['10.99.0.2:6785'],
      prefix: '',
      connected: true,
      foreignKeys: [],
      revision: '7',
    },
    peers: [
      { ...peer, id: 'a1', nickname: 'host1', address: '127.0.0.1', self: false, controlPort: 1 },
      { ...peer, id: 'b2', nickname: 'host2', address: '10.99.0.3', self: true },
    ],
    networks: [],
    definitions: [],
    endpoints: [],
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
    targets: [{ name: 'links', state: 'settled', passes: 3, drift: 0 }],
    warnings: [],
  }
}
