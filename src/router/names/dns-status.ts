/** Renders what is known of names, and who is answered, for `weave status dns`. Pure. */

import type { Status } from '../../control/messages.ts'
import type { Host, HostId } from '../../model/cluster.ts'
import type { StaticName } from '../../model/static-name.ts'
import { shortId } from '../../naming/called.ts'
import type { Dns } from '../../settings/dns.ts'
import type { Facts } from '../facts.ts'
import type { Activity } from './names.ts'
import { saidHere } from './static-names.ts'

export interface DnsStatusSources {
  readonly dns: Dns
  readonly activity: Activity
  readonly self: Host
  readonly facts: Pick<Facts, 'staticNames' | 'endpoints'>
  readonly hosts: ReadonlyMap<HostId, Host>
  /** As all hosts have published them. */
  readonly added: Iterable<StaticName>
}

type AddedName = Status['dns']['added'][number]

export function renderDns(sources: DnsStatusSources): Status['dns'] {
  const { dns, activity, self, facts, hosts, added } = sources
  const { listening, containers, questions } = activity
  const bridge = listening.get('bridge')
  const said = new Set(saidHere(facts, self.id).map(({ id }) => id))
  const own = [...facts.staticNames.values()].map(({ id, container, ...name }): AddedName => {
    const owner = container === undefined ? undefined : shortId(container)
    return {
      ...rendered({ ...name, container: owner }),
      host: self.id,
      nickname: self.nickname,
      said: said.has(id),
    }
  })
  const others = [...added].filter(({ host }) => host !== self.id)
  return {
    on: dns.isOn,
    domain: dns.domain,
    ttlSeconds: dns.ttlSeconds,
    listening: [...listening.values()],
    containers,
    questions: { ...questions },
    args: bridge === undefined ? '' : `--dns=${bridge} --dns-search=${dns.domain}`,
    added: [
      ...own,
      ...others.map(({ host, ...name }): AddedName => {
        const nickname = hosts.get(host)?.nickname ?? host
        return { ...rendered(name), host, nickname, said: true }
      }),
    ],
  }
}

function rendered({
  name,
  addresses,
  network,
  container,
}: Omit<StaticName, 'id' | 'host'>): Pick<
  AddedName,
  'name' | 'addresses' | 'network' | 'container'
> {
  return {
    name,
    addresses: [...addresses],
    ...(network === undefined ? {} : { network }),
    ...(container === undefined ? {} : { container }),
  }
}
