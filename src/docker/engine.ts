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
import { engineUnreachable } from '../model/faults.ts'
import { containerList, engineInfo, networkDetails } from './engine-messages.ts'
import type { EngineContainer, EngineInfo, EngineNetwork } from './engine-messages.ts'
import { followEvents } from './events.ts'
import type { EngineEvent } from './events.ts'
import { createSwarmApi } from './swarm.ts'
import type { SwarmApi } from './swarm.ts'

export interface EngineCall {
  readonly signal?: AbortSignal | undefined
}

export interface Engine {
  /** @throws Fault ENGINE_UNREACHABLE, as all of these. */
  readonly info: (call?: EngineCall) => Promise<EngineInfo>
  /** All containers, also those just being started, with their attachments. */
  readonly containers: (call?: EngineCall) => Promise<readonly EngineContainer[]>
  /** By ID or name; undefined when there is no such network. */
  readonly network: (id: string, call?: EngineCall) => Promise<EngineNetwork | undefined>
  /** What a swarm's managers share among themselves; on other engines all of it is a fault. */
  readonly swarm: SwarmApi
  /** From now on, across restarts of the engine, in order and once each, until the signal aborts. */
  readonly events: (options: {
    readonly signal: AbortSignal
    /** Docker's own filters, such as `{ type: ['container'] }`. */
    readonly filters: Readonly<Record<string, readonly string[]>>
  }) => AsyncGenerator<EngineEvent>
}

export interface EngineOptions {
  /** As Docker's own DOCKER_HOST: `unix:///path`; the usual socket for anything else or nothing. */
  readonly dockerHost?: string | undefined
  readonly timeoutMs?: number
}

const usualSocket = '/var/run/docker.sock'
/** The newest API whose answers we have seen. */
const newestKnown = '1.47'

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
    async network(id, { signal } = {}) {
      const answer = await askEngine(line, {
        method: 'GET',
        path: `/networks/${encodeURIComponent(id)}`,
        signal,
      })
      return answer.status === 404 ? undefined : read(line, { answer, schema: networkDetails })
    },
    swarm: createSwarmApi((question) => askEngine(line, question), socket),
    events: ({ signal, filters }) =>
      followEvents({
        signal,
        filters,
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

interface Get<T> {
  readonly path: string
  readonly signal: AbortSignal | undefined
  readonly schema: z.ZodType<T>
}

async function get<T>(line: Line, { path, signal, schema }: Get<T>): Promise<T> {
  return read(line, { answer: await askEngine(line, { method: 'GET', path, signal }), schema })
}

function read<T>(
  { socket }: Line,
  { answer, schema }: { readonly answer: Answer; readonly schema: z.ZodType<T> },
): T {
  if (answer.status !== 200) {
    throw engineUnreachable(socket, `HTTP status ${answer.status}: ${answer.text.trim()}`)
  }
  const result = schema.safeParse(parseJson(answer.text))
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw engineUnreachable(socket, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`)
}

async function askEngine(line: Line, question: Question): Promise<Answer> {
  const { path, signal } = question
  try {
    return await line.http.ask({ ...question, path: await versioned(line, path, signal) })
  } catch (error) {
    if (signal?.aborted === true) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw engineUnreachable(line.socket, reason).causedBy(error)
  }
}

async function versioned(
  { http }: Line,
  path: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { headers } = await http.ask({ method: 'GET', path: '/_ping', signal })
  const { 'api-version': version } = headers
  return `/v${speakable(typeof version === 'string' ? version : newestKnown)}${path}`
}

/** The lower of the engine's version and ours, compared by number, not by letter. */
export function speakable(engine: string): string {
  const [, major, minor] = /^(\d+)\.(\d+)$/.exec(engine) ?? []
  if (major === undefined || minor === undefined) return newestKnown
  const [ourMajor, ourMinor] = newestKnown.split('.').map(Number)
  const newer =
    Number(major) > Number(ourMajor) ||
    (Number(major) === Number(ourMajor) && Number(minor) > Number(ourMinor))
  return newer ? newestKnown : engine
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
