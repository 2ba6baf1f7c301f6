/**
 * What routers say to each other about addresses: see `ipam/give.ts` for what the answers mean.
 *
 * The trap: an answer that comes too late must not count. So a question has a deadline, and whoever
 * asks gives up the connection with it.
 */

import type { z } from 'zod'
import { ConnectionError, createHttpClient } from '../http/client.ts'
import type { Route } from '../http/routes.ts'
import type { HostId } from '../model/cluster.ts'
import { badReply } from '../model/faults.ts'
import { check, describeProblems } from './check.ts'
import { parseFault, parseJson } from './errors.ts'
import { forgetReply, forgetSpec, helpReply, helpSpec, holdsReply, holdsSpec } from './messages.ts'
import type { HelpReply, HelpSpec, HoldsReply, HoldsSpec } from './messages.ts'

export interface IpamAnswers {
  readonly help: (spec: HelpSpec) => Promise<HelpReply>
  readonly forget: (gone: HostId) => Promise<number>
  readonly holds: (spec: HoldsSpec) => Promise<HoldsReply>
}

export interface PeerSocket {
  /** An IPv4 or IPv6 address (no brackets). */
  readonly host: string
  readonly port: number
}

const timeoutMs = 3000
/** A hundred thousand addresses. */
const maxAnswerBytes = 1 << 22

export function ipamRoutes({ help, forget, holds }: IpamAnswers): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/ipam/help',
      handle: async ({ body }) => help(check(helpSpec, body)),
    },
    {
      method: 'POST',
      path: '/v1/ipam/forget',
      handle: async ({ body }) => ({ addresses: await forget(check(forgetSpec, body).gone) }),
    },
    {
      method: 'POST',
      path: '/v1/ipam/holds',
      handle: async ({ body }) => holds(check(holdsSpec, body)),
    },
  ]
}

/** @throws when it does not answer in time, or refuses. */
export function askForHelp(peer: PeerSocket, spec: HelpSpec): Promise<HelpReply> {
  return ask(peer, { path: '/v1/ipam/help', body: spec, schema: helpReply })
}

/** @throws when it does not answer in time. */
export async function askToForget(peer: PeerSocket, gone: HostId): Promise<number> {
  const body = { gone }
  return (await ask(peer, { path: '/v1/ipam/forget', body, schema: forgetReply })).addresses
}

/** @throws when it does not answer in time. */
export function askWhatIsHeld(peer: PeerSocket, spec: HoldsSpec): Promise<HoldsReply> {
  return ask(peer, { path: '/v1/ipam/holds', body: spec, schema: holdsReply })
}

async function ask<T>(
  peer: PeerSocket,
  {
    path,
    body,
    schema,
  }: { readonly path: string; readonly body: object; readonly schema: z.ZodType<T> },
): Promise<T> {
  const name = `${peer.host}:${peer.port}`
  const address = { kind: 'tcp', ...peer } as const
  using client = createHttpClient({ address, timeoutMs, maxBytes: maxAnswerBytes })
  const signal = AbortSignal.timeout(timeoutMs)
  const { status, text } = await client
    .ask({ method: 'POST', path, body, signal })
    .catch((error: unknown) => {
      throw error instanceof ConnectionError ? new Error(`${name}: ${error.message}`) : error
    })
  const fault = status === 200 ? undefined : parseFault(status, text)
  if (fault !== undefined) throw fault
  const value = parseJson(text)
  const reply = schema.safeParse(value)
  if (reply.success) return reply.data
  throw badReply(name, describeProblems(reply.error.issues, value))
}
