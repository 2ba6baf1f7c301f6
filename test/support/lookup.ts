/** Lookups from within containers of the image `lookup`, by each kind of resolver. */

import { ok, until } from './lab/lab.ts'
import type { Host } from './lab/lab.ts'

export const resolvers = ['busybox', 'glibc', 'musl'] as const
export type ResolverName = (typeof resolvers)[number]

/** Each prints what it is told, one address a line. */
const scripts: Readonly<Record<ResolverName, string>> = {
  busybox: `nslookup "$1" | sed -n '/^Name:/,$ s/^Address: //p'`,
  glibc: `getent ahosts "$1" | cut -d ' ' -f 1`,
  musl: `resolve "$1" 2>/dev/null`,
}

/** Who looks something up. */
export interface Asker {
  readonly host: Host
  readonly container: string
}

/** Addresses of names, as a resolver gives them: sorted, each once; those without any are empty lists. */
export async function lookUpAll(
  { host, container }: Asker,
  names: readonly string[],
  resolver: ResolverName = 'musl',
): Promise<Readonly<Record<string, readonly string[]>>> {
  const one = `ask() { ${scripts[resolver]}; }`
  const each = 'for name; do echo "? $name"; ask "$name" | sort -u; done'
  const words = ['exec', container, 'sh', '-c', `${one}; ${each}`, 'sh', ...names]
  const blocks = (await ok(host.docker(...words))).split(/^\? /m).slice(1)
  return Object.fromEntries(
    blocks.map((block) => {
      const [name = '', ...addresses] = block.split('\n').filter((line) => line !== '')
      return [name, addresses]
    }),
  )
}

export async function lookUp(
  asker: Asker,
  name: string,
  resolver: ResolverName = 'musl',
): Promise<readonly string[]> {
  return (await lookUpAll(asker, [name], resolver))[name] ?? []
}

/** Waits until a name has these addresses, no matter in which order. @throws when it has not in time */
export async function expectAddresses(
  asker: Asker,
  name: string,
  addresses: readonly string[],
  options: { readonly patienceMs?: number; readonly resolver?: ResolverName } = {},
): Promise<void> {
  const { patienceMs = 10_000, resolver } = options
  const wanted = addresses.toSorted().join()
  let found = ''
  const isSo = await until(async () => {
    found = (await lookUp(asker, name, resolver)).toSorted().join()
    return found === wanted
  }, patienceMs)
  if (isSo) return
  const { container, host } = asker
  throw new Error(`${name} in ${container} on ${host.name} is ${found || 'nothing'}, not ${wanted}`)
}

export interface DnsAnswer {
  /** NOERROR, NXDOMAIN, …; empty when nobody answered. */
  readonly status: string
  readonly flags: readonly string[]
  /** `A 10.32.0.1`, in the order of the answer. */
  readonly records: readonly string[]
  readonly ttls: readonly number[]
}

/** What is answered on the wire. */
export async function dig(
  { host, container }: Asker,
  name: string,
  ...args: readonly string[]
): Promise<DnsAnswer> {
  const shown = ['+noall', '+comments', '+answer', '+tries=1', '+time=15', '+nosearch']
  const { stdout } = await host.docker('exec', container, 'dig', ...shown, `${name}.`, ...args)
  const lines = stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';'))
  const fields = lines.map((line) => line.split(/\s+/))
  return {
    status: /status: (?<status>\w+)/.exec(stdout)?.groups?.['status'] ?? '',
    flags: (/^;; flags: (?<flags>[\w ]+)/m.exec(stdout)?.groups?.['flags'] ?? '').split(' '),
    records: fields.map(([, , , type = '', data = '']) => `${type} ${data}`),
    ttls: fields.map(([, ttl]) => Number(ttl)),
  }
}
