/**
 * One host's plugin in a temporary folder: the real plugin, the real control server with a router in
 * memory behind it, an engine that answers what it is told, and dockerd's side of the socket.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import type { Logger } from 'pino'
import { serveControl } from '../../src/control/server.ts'
import type { DiscoveredNode } from '../../src/docker/driver-messages.ts'
import type { HttpServer } from '../../src/http/server.ts'
import { startPlugin } from '../../src/plugin/plugin.ts'
import type { Plugin } from '../../src/plugin/plugin.ts'
import { readPaths } from '../../src/settings/paths.ts'
import type { PluginScope } from '../../src/settings/plugin.ts'
import { createDockerdClient } from './dockerd-client.ts'
import type { DockerdClient } from './dockerd-client.ts'
import { createMemoryRouter } from './memory-router.ts'
import type { MemoryRouter } from './memory-router.ts'

export interface PluginLab extends AsyncDisposable {
  readonly directory: string
  readonly socket: string
  readonly env: Readonly<Record<string, string>>
  readonly router: MemoryRouter
  readonly dockerd: DockerdClient
  /** What Docker has found, as the plugin was told. */
  readonly nodes: DiscoveredNode[]
  /** Lines of the plugin's log. */
  readonly log: string[]
  /** What the engine says to a GET, by path without version and query; absent for 404. */
  readonly engine: Map<string, unknown>
  readonly startRouter: () => Promise<HttpServer>
  readonly startPlugin: (scope?: PluginScope, env?: Record<string, string>) => Promise<Plugin>
  readonly startEngine: () => Promise<void>
}

/** Nothing runs yet but the lab itself; whatever is started ends with it. */
export async function createPluginLab(): Promise<PluginLab> {
  const directory = await mkdtemp(path.join(tmpdir(), 'weave-plugin-'))
  const socket = path.join(directory, 'plugins', 'weave.sock')
  const env = {
    WEAVE_STATE_DIR: path.join(directory, 'state'),
    WEAVE_RUN_DIR: path.join(directory, 'run'),
    WEAVE_LOG_DIR: path.join(directory, 'log'),
    DOCKER_HOST: `unix://${path.join(directory, 'docker.sock')}`,
  }
  const paths = readPaths(env)
  const log: string[] = []
  const nodes: DiscoveredNode[] = []
  const router = createMemoryRouter()
  const dockerd = createDockerdClient(socket)
  const engine = new Map<string, unknown>()
  const endings: (() => Promise<void>)[] = []
  const parts = { directory, socket, env, router, dockerd, nodes, log, engine }
  return {
    ...parts,
    async startRouter() {
      const server = await serveControl({ socket: paths.routerSocket, router })
      endings.push(() => server.drain({ graceMs: 0 }))
      return server
    },
    async startPlugin(scope = 'global', extra = {}) {
      const settings = { socket, logLevel: 'debug', scope } as const
      const plugin = await startPlugin(settings, {
        paths,
        env: { ...env, ...extra },
        log: logInto(log),
        onNode: (node) => nodes.push(node),
      })
      endings.push(plugin.stop)
      return plugin
    },
    async startEngine() {
      endings.push(await serveEngine(path.join(directory, 'docker.sock'), engine))
    },
    async [Symbol.asyncDispose]() {
      dockerd[Symbol.dispose]()
      for (const end of endings.toReversed()) await end()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function logInto(lines: string[]): Logger {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  return pino({ level: 'debug' }, stream)
}

async function serveEngine(
  file: string,
  answers: ReadonlyMap<string, unknown>,
): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    const [where = ''] = (request.url ?? '').replace(/^\/v[\d.]+/, '').split('?')
    response.setHeader('api-version', '1.41')
    const answer = answers.get(where)
    if (where !== '/_ping' && answer === undefined) response.statusCode = 404
    response.end(JSON.stringify(answer ?? 'OK'))
  })
  await new Promise<void>((resolve) => server.listen(file, resolve))
  return async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}
