/**
 * Which resolvers does this host use? Those of its resolv.conf, read again when the file has changed.
 *
 * Programs that renew a lease write a new file and rename it, so size, inode and time all count. A file that
 * cannot be read just now keeps what was read last.
 */

import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import type { ServerAddress } from './upstream.ts'

const dnsPort = 53
/** MAXNS in resolv.h: what the C library uses. */
const mostServers = 3
const lookAgainMs = 1000

/** The first three addresses of `nameserver` lines, IPv6 with its zone if it has one. */
export function readNameservers(resolvConf: string): readonly string[] {
  return resolvConf
    .split('\n')
    .map((line) => /^nameserver[ \t]+(\S+)/.exec(line)?.[1] ?? '')
    .filter((address) => isIP(address) !== 0)
    .slice(0, mostServers)
}

/** Looks at the file at most once a second; none are known of a file that was never readable. */
export function watchNameservers(
  file: string,
  nowMs: () => number = () => performance.now(),
): () => readonly ServerAddress[] {
  let servers: readonly ServerAddress[] = []
  let version = ''
  let lookAtMs = Number.NEGATIVE_INFINITY

  function look(): void {
    const { ino, size, mtimeNs } = statSync(file, { bigint: true })
    const found = `${ino} ${size} ${mtimeNs}`
    if (found === version) return
    servers = readNameservers(readFileSync(file, 'utf8')).map((address) => ({
      address,
      port: dnsPort,
    }))
    version = found
  }

  return () => {
    const now = nowMs()
    if (now < lookAtMs) return servers
    lookAtMs = now + lookAgainMs
    try {
      look()
    } catch {
      // It is being replaced, or there is none: what was last read is the best guess.
    }
    return servers
  }
}
