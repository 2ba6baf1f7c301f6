/**
 * Makes a server listen on a unix socket that only root can open, or on a TCP port.
 *
 * A socket file outlives the process that made it, so what lies at the path may be a leftover or
 * somebody's living service. Only a file that is a socket and on which nobody answers is replaced.
 *
 * The file is made under a temporary name, closed to others, and then renamed: there is no moment
 * in which it is world-open, or in which a leftover has gone and nothing is in its place.
 *
 * Invariant: a file is removed only while it is the one that was made here (same inode), so that a
 * server that ends late never removes its successor's.
 */

import { randomBytes } from 'node:crypto'
import { chmod, lstat, mkdir, rename, unlink } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { badArgument, portInUse, socketInUse } from '../model/faults.ts'
import { errorCode } from './error-code.ts'

export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

/** sun_path in linux/un.h is 108 bytes with its final zero. */
const maxSocketPathBytes = 107
const probeMs = 2000
/**
 * An IPv6 address that a host has just been given cannot be listened on before it is certain that no
 * other host has it (RFC 4862): a second or two, as when a machine boots.
 */
const tentativeMs = 5000
const againMs = 100

export interface Listening {
  /** As asked for, but with the port that was really taken if it was 0. */
  readonly address: Address
  /** Lets new callers find nothing any more; idempotent. Does not close the server. */
  readonly unpublish: () => Promise<void>
}

/** @throws Fault SOCKET_IN_USE, PORT_IN_USE, BAD_ARGUMENT; other errors of the system as they are. */
export async function listen(server: net.Server, address: Address): Promise<Listening> {
  return address.kind === 'unix' ? listenOnUnix(server, address.path) : listenOnTcp(server, address)
}

async function listenOnUnix(server: net.Server, file: string): Promise<Listening> {
  const temporary = path.join(path.dirname(file), `.${randomBytes(4).toString('hex')}`)
  checkLength(file, temporary)
  await mkdir(path.dirname(file), { recursive: true })
  await refuseIfTaken(file)
  await listening(server, { path: temporary })
  await chmod(temporary, 0o600)
  const { ino } = await lstat(temporary)
  await rename(temporary, file)
  return {
    address: { kind: 'unix', path: file },
    async unpublish() {
      const now = await lstat(file).catch(() => undefined)
      if (now?.ino === ino) await unlink(file).catch(() => {})
    },
  }
}

async function listenOnTcp(
  server: net.Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<Listening> {
  await listenPatiently(server, { host, port }).catch((error: unknown) => {
    if (errorCode(error) === 'EADDRINUSE') throw portInUse('TCP', port).causedBy(error)
    throw error
  })
  const bound = server.address()
  const actual = typeof bound === 'object' && bound !== null ? bound.port : port
  return { address: { kind: 'tcp', host, port: actual }, unpublish: async () => {} }
}

async function listenPatiently(server: net.Server, options: net.ListenOptions): Promise<void> {
  for (let leftMs = tentativeMs; leftMs > 0; leftMs -= againMs) {
    try {
      return await listening(server, options)
    } catch (error) {
      if (errorCode(error) !== 'EADDRNOTAVAIL') throw error
    }
    await sleep(againMs)
  }
  return await listening(server, options)
}

function listening(server: net.Server, options: net.ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    function done(): void {
      server.off('error', fail)
      resolve()
    }
    function fail(error: Error): void {
      server.off('listening', done)
      reject(error)
    }
    server.once('error', fail)
    server.once('listening', done)
    server.listen(options)
  })
}

function checkLength(...files: readonly string[]): void {
  const long = files.find((file) => Buffer.byteLength(file) > maxSocketPathBytes)
  if (long === undefined) return
  throw badArgument('socket path', long, `Use a path of at most ${maxSocketPathBytes} bytes.`)
}

async function refuseIfTaken(file: string): Promise<void> {
  const found = await lstat(file).catch(() => undefined)
  if (found === undefined) return
  if (!found.isSocket()) {
    throw badArgument('socket path', file, 'Something that is not a socket is there; move it away.')
  }
  if (await answers(file)) throw socketInUse(file)
}

/** Whether a process listens on it. In doubt (no permission, no time) yes. */
function answers(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect({ path: file, timeout: probeMs })
    function done(answer: boolean): void {
      probe.destroy()
      resolve(answer)
    }
    probe.once('connect', () => {
      done(true)
    })
    probe.once('timeout', () => {
      done(true)
    })
    probe.once('error', (error) => {
      done(!['ECONNREFUSED', 'ENOENT'].includes(errorCode(error) ?? ''))
    })
  })
}
