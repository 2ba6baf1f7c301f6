/**
 * `etcd://a:2379,b:2379/prefix`: the store that the user already has.
 *
 * The prefix keeps several clusters apart in one etcd. It becomes the beginning of every key, so it
 * is held to what cannot mean anything there: segments of letters, digits, `.`, `_` and `-`.
 * It is kept so that it can be put before a key that begins with a slash: empty, or `/one/two`.
 */

import { bad, formatHostPort, good, parseHostPort } from './host-port.ts'
import type { Parsed } from './host-port.ts'
import { nearest } from './nearest.ts'

export interface ClusterStore {
  /** As host:port, without duplicates, at least one. */
  readonly endpoints: readonly string[]
  /** Put before every key: empty, or `/prefix` without a slash at the end. */
  readonly prefix: string
}

/** What etcd listens on for clients (IANA). */
const etcdClientPort = 2379

const shape = 'etcd://HOST:PORT[,HOST:PORT…][/PREFIX]'
const prefixSegment = /^(?!\.+$)[A-Za-z0-9._-]{1,64}$/

export function parseClusterStore(text: string): Parsed<ClusterStore> {
  const [, scheme, rest] = /^([^:/]*):\/\/(.*)$/.exec(text) ?? []
  if (scheme === undefined || rest === undefined) {
    return bad(`Give it as ${shape}, here: etcd://${text === '' ? 'HOST' : text}`)
  }
  if (scheme !== 'etcd') return bad(schemeHint(scheme, rest))
  const slash = rest.indexOf('/')
  const hosts = (slash === -1 ? rest : rest.slice(0, slash)).split(',')
  const prefix = parsePrefixPath(slash === -1 ? '' : rest.slice(slash + 1))
  if (prefix === undefined) {
    return bad('A prefix has letters, digits, ".", "_" and "-", in parts of up to 64 between "/".')
  }
  const endpoints: string[] = []
  for (const host of hosts) {
    const parsed = parseHostPort(host)
    if (parsed.kind === 'bad') return bad(`${JSON.stringify(host)}: ${parsed.hint}`)
    endpoints.push(formatHostPort({ port: etcdClientPort, ...parsed.value }))
  }
  return good({ endpoints: [...new Set(endpoints)], prefix })
}

/** Inverse of `parseClusterStore`. */
export function formatClusterStore({ endpoints, prefix }: ClusterStore): string {
  return `etcd://${endpoints.join(',')}${prefix}`
}

function parsePrefixPath(text: string): string | undefined {
  const trimmed = text.replace(/\/$/, '')
  if (trimmed === '') return ''
  return trimmed.split('/').every((part) => prefixSegment.test(part)) ? `/${trimmed}` : undefined
}

function schemeHint(scheme: string, rest: string): string {
  if (['http', 'https', 'consul', 'zk', 'zookeeper'].includes(scheme)) {
    return `Only etcd is understood: etcd://${rest}`
  }
  return nearest(scheme, ['etcd']) === undefined
    ? `Only etcd is understood, as ${shape}.`
    : `Did you mean etcd://${rest}?`
}
