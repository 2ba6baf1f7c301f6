/**
 * Puts one plugin together: decides its scope, serves its socket, looks for orphans.
 *
 * The socket appears last and disappears first, because a socket on which nobody answers makes every
 * command of Docker's wait. Nothing here waits for the router: it may come later.
 */

import { createRouterClient } from '../control/client.ts'
import type { DiscoveredNode } from '../docker/driver-messages.ts'
import type { EngineInfo } from '../docker/engine-messages.ts'
import { createEngine } from '../docker/engine.ts'
import type { Engine } from '../docker/engine.ts'
import { serveDriver } from '../docker/remote-driver.ts'
import type { Scope } from '../docker/remote-driver.ts'
import type { Fault } from '../model/fault.ts'
import { createWakeup } from '../reconcile/wakeup.ts'
import { pluginPaths } from '../settings/paths.ts'
import type { Environment, Paths } from '../settings/paths.ts'
import { driverOf } from '../settings/plugin.ts'
import type { PluginSettings } from '../settings/plugin.ts'
import { workInBackground } from './background.ts'
import { createDriver } from './driver.ts'
import { withAddresses } from './ipam.ts'
import { logExchange } from './log.ts'
import type { Logger } from './log.ts'
import { openMemory } from './memory.ts'
import type { Memory } from './memory.ts'
import { withPatience } from './patience.ts'
import { decideScope, readDockerConfiguration } from './scope.ts'

export interface PluginContext {
  readonly paths: Paths
  readonly env: Environment
  readonly log: Logger
  /** Docker has found a host, perhaps not for the first time. */
  readonly onNode?: (node: DiscoveredNode) => void
  /** Why there is no router, if somebody knows better than "nobody answers". */
  readonly whyAway?: () => Fault | undefined
}

export interface Plugin {
  readonly scope: Scope
  /** Takes no new calls, finishes those under way, removes the socket. Never throws; idempotent. */
  readonly stop: () => Promise<void>
}

/** The whole of a call; Docker's own shortest patience is 30 s. */
const handlerMs = 15_000
/** For a router that restarts; leaves the router's own deadline room within ours. */
const patienceMs = 8000
const drainMs = 16_000
const engineMs = 3000

/** @throws Fault SOCKET_IN_USE when another plugin answers on the socket. */
export async function startPlugin(
  settings: PluginSettings,
  { paths, env, log, onNode = () => {}, whyAway = () => undefined }: PluginContext,
): Promise<Plugin> {
  const driverName = driverOf(settings.socket)
  const memory = await openMemory({
    file: pluginPaths(paths, driverName).stateFile,
    asideDir: paths.asideDir,
    onSetAside: (problem) => {
      log.warn(problem)
    },
  })
  const engine = createEngine({ dockerHost: env['DOCKER_HOST'], timeoutMs: engineMs })
  const scope = await settleScope(settings, { engine, memory, log })
  const client = createRouterClient({ socket: paths.routerSocket })
  const router = withPatience(client, { patienceMs, whyAway })
  const bell = createWakeup()
  const network = createDriver({
    router,
    memory,
    scope,
    driverName,
    warn: (text) => {
      log.warn(text)
    },
    onNode,
    onDoubt: bell.ring,
  })
  const server = await serveDriver({
    socket: settings.socket,
    scope,
    ...withAddresses(network, router),
    handlerMs,
    report: (exchange) => logExchange(log, exchange),
  })
  log.info({ driver: driverName, socket: settings.socket, scope }, 'serving')
  const ending = new AbortController()
  const tidying = { router: client, engine, memory, scope, env, log, driverName, bell }
  const background = workInBackground(tidying, ending.signal)
  return {
    scope,
    async stop() {
      ending.abort(new Error('the plugin ends'))
      await server.drain({ graceMs: drainMs })
      await background
      client[Symbol.dispose]()
    },
  }
}

async function settleScope(
  settings: PluginSettings,
  { engine, memory, log }: { engine: Engine; memory: Memory; log: Logger },
): Promise<Scope> {
  const { scope, reason } = decideScope({
    asked: settings.scope,
    engine: settings.scope === 'auto' ? await askEngine(engine) : undefined,
    remembered: memory.now().scope,
    configuration: await readDockerConfiguration(),
  })
  log.info({ scope, reason }, 'scope decided')
  await memory.change((now) => ({ ...now, scope }))
  return scope
}

/** Undefined when it does not answer in time: the plugin starts before Docker does. */
async function askEngine(engine: Engine): Promise<EngineInfo | undefined> {
  return engine.info({ signal: AbortSignal.timeout(engineMs) }).catch(() => undefined)
}
