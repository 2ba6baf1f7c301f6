/**
 * What this host remembers of who it is and where it belongs: two small files that outlive reboots.
 *
 * The identity is random and made once; names for people may change, it may not. It is not derived
 * from the machine, because cloned machines would then share it without anybody noticing.
 */

import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { z } from 'zod'
import { readIfPresent, setAside, writeDurably } from '../disk/file.ts'
import { isIpAddress } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import { isHostId } from '../model/cluster.ts'
import type { HostId } from '../model/cluster.ts'
import type { Paths } from '../settings/paths.ts'

const identityFile = z.strictObject({ id: z.custom<HostId>(isHostId, 'not a host ID') })

const membershipFile = z.strictObject({
  /** Absent until the store has told. */
  cluster: z.string().min(1).optional(),
  address: z.custom<IpAddress>(isIpAddress, 'not an IP address').optional(),
  store: z.strictObject({
    kind: z.enum(['given', 'docker', 'managed', 'joined']),
    endpoints: z.array(z.string()),
    prefix: z.string(),
  }),
})

export interface Membership {
  readonly cluster?: string | undefined
  /** On the underlay, as found at the launch. */
  readonly address?: IpAddress | undefined
  readonly store: {
    readonly kind: 'given' | 'docker' | 'managed' | 'joined'
    /** host:port of each etcd; empty while a managed store has not been given its address. */
    readonly endpoints: readonly string[]
    readonly prefix: string
  }
}

export interface Read<T> {
  readonly value: T | undefined
  /** Said when a file was there but not understood; it has been moved out of the way. */
  readonly problem?: string
}

export async function readIdentity(paths: Paths): Promise<Read<HostId>> {
  const { value, problem } = await readJson(paths.identityFile, identityFile, paths)
  return problem === undefined ? { value: value?.id } : { value: value?.id, problem }
}

export async function writeIdentity(paths: Paths, id: HostId): Promise<void> {
  await writeDurably(paths.identityFile, `${JSON.stringify({ id })}\n`)
}

export async function readMembership(paths: Paths): Promise<Read<Membership>> {
  return readJson(membershipPath(paths), membershipFile, paths)
}

export async function writeMembership(paths: Paths, membership: Membership): Promise<void> {
  await writeDurably(membershipPath(paths), `${JSON.stringify(membership, null, 2)}\n`)
}

/** The next start finds none. What a managed store of its own held is kept to look at, too. */
export async function forgetMembership(paths: Paths): Promise<void> {
  for (const one of [paths.storeDir, membershipPath(paths)]) {
    await setAside(one, paths.asideDir).catch(ignoreMissing)
  }
}

/** 32 random hex digits: a host's or a cluster's identity. */
export function randomId(): string {
  return randomBytes(16).toString('hex')
}

function membershipPath({ stateDir }: Paths): string {
  return path.join(stateDir, 'membership.json')
}

async function readJson<T>(file: string, schema: z.ZodType<T>, paths: Paths): Promise<Read<T>> {
  const text = await readIfPresent(file)
  if (text === undefined) return { value: undefined }
  const parsed = schema.safeParse(parseJson(text))
  if (parsed.success) return { value: parsed.data }
  const kept = await setAside(file, paths.asideDir)
  return { value: undefined, problem: `${file} was not understood; moved to ${kept}` }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}
