/**
 * Asks the Docker engine of this host what it is and what it runs.
 *
 * Never from within a plugin call: the engine holds a container's lock while it waits for us, and
 * would wait for itself. Only background work may use this, and every call has a deadline.
 *
 * The API's version is asked for on each call (one cheap request), because the engine may have been
 * replaced since; we speak the engine's own, but none newer than we know.
 */

import type { z } from 'zod'
import { createHttpClient } from '../http/client.ts'
import type { Answer, HttpClient, Question } from '../http/client.ts'
import type { NetworkSettings } from '../model/definition.ts'
import type { Fault } from '../model/fault.ts'
import { engineRefused, engineUnreachable } from '../model/faults.ts'
import { containerDetails } from './container-details.ts'
import type { ContainerDetails } from './container-details.ts'
import {
  containerList,
  createNetworkBody,
  createdNetwork,
  engineInfo,
  networkList,
  networkMembers,
  refusal,
} from './engine-messages.ts'
import type {
  EngineContainer,
  EngineInfo,
  EngineNetwork,
  NetworkMember,
} from './engine-messages.ts'
import { followEvents } from './events.ts'
import type { EngineEvent } from './events.ts'
import { createSwarmApi } from './swarm.ts'
import type { SwarmApi } from './swarm.ts'

export type { ContainerDetails } from './container-details.ts'
export type { EngineContainer, EngineNetwork, NetworkMember } from './engine-messages.ts'

export interface EngineCall {
  readonly signal?: AbortSignal | undefined
}

export interface Engine {
  /** @throws Fault ENGINE_UNREACHABLE, as all of these. */
  readonly info: (call?: EngineCall) => Promise<EngineInfo>
  /** All containers, also those just being started, with their attachments. */
  readonly containers: (call?: EngineCall) => Promise<readonly EngineContainer[]>
  /**
   * Undefined when there is none. A container that is being started is not answered before it has:
   * up to the deadline, which is a fault then.
   */
  readonly container: (id: string, call?: EngineCall) => Promise<ContainerDetails | undefined>
  /** What is attached to a network of this host, Docker's own attachments among it; none if it is not there. */
  readonly members: (network: string, call?: EngineCall) => Promise<readonly NetworkMember[]>
  /** All of them, with all that they were made with. */
  readonly networks: (call?: EngineCall) => Promise<readonly EngineNetwork[]>
  /**
   * The new network's ID. The engine calls the drivers before it answers, so this takes its time.
   * @throws Fault ENGINE_REFUSED, too: also when there is one of this name.
   */
  readonly createNetwork: (
    named: { readonly driver: string; readonly name: string },
    settings: NetworkSettings,
    call?: EngineCall,
  ) => Promise<string>
  /** One that is not there is no error. @throws Fault ENGINE_REFUSED, too: when it is in use. */
  readonly removeNetwork: (id: string, call?: EngineCall) => Promise<void>
  /** What a swarm's managers share among themselves; on other engines all of it is a fault. */
  readonly swarm: SwarmApi
  /** From now on, across restarts of the engine, in order and once each, until the signal aborts. */
  readonly events: (options: {
    readonly signal: AbortSignal
    /** Docker's own filters, such as `{ type: ['container'] }`. */
    readonly filters: Readonly<Record<string, readonly string[]>>
    /** The engine answers, at first or again. */
    readonly onOpen?: () => void
  }) => AsyncGenerator<EngineEvent>
}

export interface EngineOptions {
  /** As Docker's own DOCKER_HOST: `unix:///path`; the usual socket for anything else or nothing. */
  readonly dockerHost?: string | undefined
  readonly timeoutMs?: number
}

const usualSocket = '/var/run/docker.sock'
/** The newest API whose answers we have seen. */
const newestKnown = '1.51'
/** The first whose networks may lack IPv4 (engine 28); older ones would make it with IPv4. */
const apiWithoutIpv4 = '1.48'
/** Drivers take part: Docker's own patience with one of their calls is 30 s, and there are several. */
const changeMs = 60_000

export function createEngine({
  dockerHost = process.env['DOCKER_HOST'],
  timeoutMs = 5000,
}: EngineOptions = {}): Engine {
  const socket = socketOf(dockerHost)
  const http = createHttpClient({ address: { kind: 'unix', path: socket }, timeoutMs })
  const line: Line = { http, socket }
  return {
    info: ({ signal } = {}) => get(line, { path: '/info', signal, schema: engineInfo }),
    containers: ({ signal } = {}) =>
      get(line, { path: '/containers/json?all=1', signal, schema: containerList }),
    ...lookups(line),
    networks: ({ signal } = {}) => get(line, { path: '/networks', signal, schema: networkList }),
    async createNetwork(named, settings, { signal } = {}) {
      const isTooOld = !settings.ipv4 && !(await knows(line, apiWithoutIpv4, signal))
      if (isTooOld) throw engineRefused(`create network ${named.name}`, 'it cannot do without IPv4')
      const body = createNetworkBody(named, settings)
      const question = { method: 'POST', path: '/networks/create', body, signal } as const
      const answer = await askEngine(line, { ...question, timeoutMs: changeMs })
      if (answer.status !== 201) throw refused(`create network ${named.name}`, answer)
      return read(line, { answer, schema: createdNetwork })
    },
    async removeNetwork(id, { signal } = {}) {
      const path = `/networks/${encodeURIComponent(id)}`
      const question = { method: 'DELETE', path, signal, timeoutMs: changeMs } as const
      const answer = await askEngine(line, question)
      if (answer.status !== 204 && answer.status !== 404) {
        throw refused(`remove network ${id.slice(0, 12)}`, answer)
      }
    },
    swarm: createSwarmApi((question) => askEngine(line, question), socket),
    events: ({ signal, filters, onOpen }) =>
      followEvents({
        signal,
        filters,
        onOpen,
        open: async (path) => {
          const full = await versioned(line, path, signal)
          return http.stream({ method: 'GET', path: full, signal })
        },
      }),
  }
}

/** Where the engine listens. Engines over TCP or SSH are not this host's, so they do not count. */
export function socketOf(dockerHost: string | undefined): string {
  const [, path] = /^unix:\/\/(\/.+)$/.exec(dockerHost ?? '') ?? []
  return path ?? usualSocket
}

interface Line {
  readonly http: HttpClient
  readonly socket: string
}

/** About one thing, which need not be there. */
function lookups(line: Line): Pick<Engine, 'container' | 'members'> {
  return {
    container: (id, { signal } = {}) =>
      getIfAny(line, {
        path: `/containers/${encodeURIComponent(id)}/json`,
        signal,
        schema: containerDetails,
      }),
    async members(network, { signal } = {}) {
      const path = `/networks/${encodeURIComponent(network)}`
      return (await getIfAny(line, { path, signal, schema: networkMembers })) ?? []
    },
  }
}

interface Get<T> {
  readonly path: string
  readonly signal: AbortSignal | undefined
  readonly schema: z.ZodType<T>
}

async function get<T>(line: Line, question: Get<T>): Promise<T> {
  const found = await getIfAny(line, question)
  if (found === undefined) throw engineUnreachable(line.socket, `nothing at ${question.path}`)
  return found
}

async function getIfAny<T>(line: Line, { path, signal, schema }: Get<T>): Promise<T | undefined> {
  const answer = await askEngine(line, { method: 'GET', path, signal })
  if (answer.status === 404) return undefined
  if (answer.status !== 200) throw unexpected(line, answer)
  return read(line, { answer, schema })
}

function unexpected({ socket }: Line, { status, text }: Answer): Fault {
  return engineUnreachable(socket, `HTTP status ${status}: ${text.trim()}`)
}

function read<T>(
  { socket }: Line,
  { answer, schema }: { readonly answer: Answer; readonly schema: z.ZodType<T> },
): T {
  const result = schema.safeParse(parseJson(answer.text))
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw engineUnreachable(socket, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`)
}

function refused(what: string, { text }: Answer): Fault {
  const reason = refusal.safeParse(parseJson(text))
  return engineRefused(what, reason.success ? reason.data : text.trim())
}

async function askEngine(line: Line, question: Question): Promise<Answer> {
  const { signal } = question
  try {
    const path = await versioned(line, question.path, signal)
    return await line.http.ask({ ...question, path })
  } catch (error) {
    if (signal?.aborted === true) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw engineUnreachable(line.socket, reason).causedBy(error)
  }
}

async function versioned(
  line: Line,
  path: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  return `/v${speakable(await versionOf(line, signal))}${path}`
}

async function knows(line: Line, api: string, signal: AbortSignal | undefined): Promise<boolean> {
  return !isNewer(api, await versionOf(line, signal))
}

async function versionOf({ http }: Line, signal: AbortSignal | undefined): Promise<string> {
  const { headers } = await http.ask({ method: 'GET', path: '/_ping', signal })
  const { 'api-version': version } = headers
  return typeof version === 'string' ? version : newestKnown
}

/** The lower of the engine's version and ours. */
export function speakable(engine: string): string {
  return !/^\d+\.\d+$/.test(engine) || isNewer(engine, newestKnown) ? newestKnown : engine
}

/** Compared by number, not by letter. */
function isNewer(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split('.').map(Number)
  const [thanMajor = 0, thanMinor = 0] = other.split('.').map(Number)
  return major > thanMajor || (major === thanMajor && minor > thanMinor)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
