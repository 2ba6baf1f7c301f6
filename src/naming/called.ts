/** What is a container called in one of its networks? As Docker does: name, ID, host name, aliases. */

import { maxNames, readName } from '../model/name.ts'
import type { Naming } from '../model/name.ts'
import { isUnder } from './resolve.ts'

export interface ContainerWords {
  readonly id: string
  readonly name: string
  readonly hostname: string
  readonly domainname: string
}

export interface NetworkWords {
  /** What Docker calls the network. */
  readonly network: string
  readonly aliases: readonly string[]
}

const shortIdLength = 12

export function shortId(id: string): string {
  return id.slice(0, shortIdLength)
}

/** Without regard to the order in which Docker tells the aliases, so that nothing changes by it. */
export function nameContainer(
  { id, name, hostname, domainname }: ContainerWords,
  { network, aliases }: NetworkWords,
  { domain }: { readonly domain: string },
): Naming {
  const texts = [
    name,
    hostname,
    ...(domainname === '' ? [] : [`${hostname}.${domainname}`]),
    shortId(id),
    ...aliases.toSorted(),
  ]
  const names = texts.flatMap((text) => {
    const read = readName(text)
    return read === undefined ? [] : [inDomain(read, domain)]
  })
  return {
    container: shortId(id),
    network,
    names: [...new Set(names)].slice(0, maxNames),
  }
}

/** As a name is kept: whatever it is asked as, our domain is not part of it. */
export function inDomain(name: string, domain: string): string {
  return isUnder(domain, name) ? name.slice(0, -domain.length - 1) : name
}
