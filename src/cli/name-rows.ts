/** Everything that the cluster knows by name, in rows: what containers are called, and what was added. */

import type { Status } from '../control/messages.ts'

export interface NameRow {
  readonly name: string
  /** None while the container does not run for which it was added. */
  readonly addresses: readonly string[]
  /** As Docker calls it, where that is known; absent where everybody sees the name. */
  readonly network?: string
  readonly container?: string
  readonly host: string
  readonly byHand: boolean
}

type AddedName = Status['dns']['added'][number]
type Endpoint = Status['endpoints'][number]

/** In order of names. */
export function nameRows(status: Status): readonly NameRow[] {
  const called = namesOfNetworks(status)
  const endpoints = status.endpoints.filter(({ phase }) => phase !== 'left')
  const { added } = status.dns
  const rows = [
    ...endpoints.flatMap((endpoint) => rowsOf(endpoint, { added, called })),
    ...gather(added.filter((one) => !endpoints.some((endpoint) => covers(endpoint, one)))).map(
      (one) => rowOf(one, called),
    ),
  ]
  return rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

function rowsOf(
  endpoint: Endpoint,
  { added, called }: { added: readonly AddedName[]; called: ReadonlyMap<string, string> },
): readonly NameRow[] {
  const { names, addresses, container, networkName, network, nickname } = endpoint
  const byHand = new Set(added.filter((one) => covers(endpoint, one)).map(({ name }) => name))
  return names.map((name) => ({
    name,
    addresses,
    network: networkName ?? called.get(network) ?? network,
    ...(container === undefined ? {} : { container }),
    host: nickname,
    byHand: byHand.has(name),
  }))
}

function rowOf(
  { name, addresses, network, container, nickname, said }: AddedName,
  called: ReadonlyMap<string, string>,
): NameRow {
  return {
    name,
    addresses: said ? addresses : [],
    ...(network === undefined ? {} : { network: called.get(network) ?? network }),
    ...(container === undefined ? {} : { container }),
    host: nickname,
    byHand: true,
  }
}

/** Whether a name was added for the container of this endpoint, and is among the endpoint's names. */
function covers({ container, names, network, host }: Endpoint, added: AddedName): boolean {
  return (
    added.addresses.length === 0 &&
    added.container === container &&
    added.host === host &&
    (added.network === undefined || added.network === network) &&
    names.includes(added.name)
  )
}

/** What differs in nothing but the address is one row. */
function gather(added: readonly AddedName[]): readonly AddedName[] {
  const groups = new Map<string, AddedName>()
  for (const one of added) {
    const key = JSON.stringify({ ...one, addresses: [] })
    const addresses = [...(groups.get(key)?.addresses ?? []), ...one.addresses]
    groups.set(key, { ...one, addresses: addresses.toSorted() })
  }
  return [...groups.values()]
}

/** By the ID that they have in the cluster. */
function namesOfNetworks({ definitions, endpoints }: Status): ReadonlyMap<string, string> {
  return new Map([
    ...endpoints.flatMap(({ network, networkName }) =>
      networkName === undefined ? [] : [[network, networkName] as const],
    ),
    ...definitions.flatMap(({ network, name }) =>
      network === undefined ? [] : [[network, name] as const],
    ),
  ])
}

function keyOf({ name, network = '', host, addresses }: NameRow): string {
  return [name, network, host, ...addresses].join(' ')
}
