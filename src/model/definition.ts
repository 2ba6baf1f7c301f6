/**
 * How a network was made, as Docker would have to be told to make it again on another host.
 *
 * On engines without a cluster store "the same" network is one object per engine, each with an ID of
 * its own; what they share is driver and name. A *generation* tells a network from one of the same
 * name that was made after it had been removed.
 *
 * The trap is in comparing: engines show what nobody asked for (the gateway that was chosen), and
 * compose writes its own version into labels. `differences` looks only at what somebody chose.
 */

import { isIpv4, parseIp } from './address.ts'
import type { Branded } from './brand.ts'
import { isNetworkId, isRecord } from './cluster.ts'
import type { NetworkId } from './cluster.ts'
import { formatPrefix, networkOf, parsePrefix } from './prefix.ts'
import type { Prefix } from './prefix.ts'

/** `driver/name`, both percent-encoded: safe in keys, and in file names but for the slash. */
export type DefinitionId = Branded<string, 'DefinitionId'>

export type Texts = Readonly<Record<string, string>>

export interface PoolSettings {
  /** ADDRESS/LENGTH. */
  readonly subnet: string
  readonly ipRange?: string | undefined
  /** A bare address. */
  readonly gateway?: string | undefined
  readonly auxAddresses?: Texts | undefined
}

export interface NetworkSettings {
  readonly ipamDriver: string
  readonly ipamOptions: Texts
  readonly ipam: readonly PoolSettings[]
  /** What was written after `-o`. */
  readonly options: Texts
  readonly labels: Texts
  readonly internal: boolean
  readonly attachable: boolean
  readonly ipv4: boolean
  readonly ipv6: boolean
}

export interface Definition extends NetworkSettings {
  readonly driver: string
  readonly name: string
  /** Random; another one for each time that somebody makes a network of this name. */
  readonly generation: string
}

/** The option that names a segment across hosts, whatever its subnets are. */
export const segmentOption = 'weave.network'

/** Below what a file system takes as a file name (255 bytes). */
const maxIdLength = 200
const idText = /^[\w.!~*'()%-]+\/[\w.!~*'()%-]+$/
const driverText = /^[a-z0-9][a-z0-9_.-]{0,62}$/i
const generationText = /^[0-9a-f]{32}$/
/** Labels that say what made a network, not what it is. */
const toolLabels = new Set(['com.docker.compose.version', 'com.docker.compose.config-hash'])
/** Engines from 28 on show these among the options, whether they were given or not. */
const familyOption = /^com\.docker\.network\.enable_ipv[46]$/

/** The base name of a plugin's socket. */
export function isDriverName(value: unknown): value is string {
  return isText(value) && driverText.test(value)
}

/** Undefined for a name that no key and no file could have. */
export function definitionId({
  driver,
  name,
}: {
  readonly driver: string
  readonly name: string
}): DefinitionId | undefined {
  if (/\p{Surrogate}/u.test(driver + name)) return undefined
  const id = `${encodeURIComponent(driver)}/${encodeURIComponent(name)}`
  return isDefinitionId(id) ? id : undefined
}

export function isDefinitionId(value: unknown): value is DefinitionId {
  return typeof value === 'string' && value.length <= maxIdLength && idText.test(value)
}

/**
 * What two networks of one name differ in, in words for people, none when either would do for the
 * other: their first as `here`, as in "label env: "a" here, "b" in the cluster".
 */
export function differences(here: NetworkSettings, there: NetworkSettings): readonly string[] {
  return [
    ...compare('IPAM driver', here.ipamDriver, there.ipamDriver),
    ...compareTexts('IPAM option', here.ipamOptions, there.ipamOptions),
    ...compareSubnets(here, there),
    ...compareTexts('option', withoutFamilies(here.options), withoutFamilies(there.options)),
    ...compareTexts('label', withoutTools(here.labels), withoutTools(there.labels)),
    ...compare('internal', here.internal, there.internal),
    ...compare('attachable', here.attachable, there.attachable),
    ...compare('IPv4', here.ipv4, there.ipv4),
    ...compare('IPv6', here.ipv6, there.ipv6),
  ]
}

/**
 * Which segment of the cluster a network is: the one that its user named, or else its first subnet.
 * Undefined when it says neither.
 */
export function segmentOf({ options, ipam }: NetworkSettings): NetworkId | undefined {
  const name = options[segmentOption]
  if (name !== undefined) return isNetworkId(name) ? name : undefined
  const subnets = ipam.flatMap(({ subnet }) => parsePrefix(subnet) ?? [])
  return idOfSubnet(subnets.find(({ address }) => isIpv4(address)) ?? subnets[0])
}

/** `10.44.0.0/16` becomes `10.44.0.0-16`, `fd00::/64` becomes `fd00..-64`. */
export function idOfSubnet(subnet: Prefix | undefined): NetworkId | undefined {
  if (subnet === undefined || subnet.length === 0) return undefined
  const text = formatPrefix(networkOf(subnet))
  const id = text.replace(/^:/, '0:').replaceAll(':', '.').replace('/', '-')
  return isNetworkId(id) ? id : undefined
}

export function isDefinition(value: unknown): value is Definition {
  return (
    isRecord(value) &&
    isText(value['driver']) &&
    isText(value['name']) &&
    isText(value['generation']) &&
    generationText.test(value['generation']) &&
    isText(value['ipamDriver']) &&
    Array.isArray(value['ipam']) &&
    value['ipam'].every(isPool) &&
    ['ipamOptions', 'options', 'labels'].every((key) => isTexts(value[key])) &&
    ['internal', 'attachable', 'ipv4', 'ipv6'].every((key) => typeof value[key] === 'boolean')
  )
}

function isPool(value: unknown): value is PoolSettings {
  if (!isRecord(value)) return false
  const { subnet, ipRange, gateway, auxAddresses } = value
  return (
    isPrefix(subnet) &&
    (ipRange === undefined || isPrefix(ipRange)) &&
    (gateway === undefined || (isText(gateway) && parseIp(gateway) !== undefined)) &&
    (auxAddresses === undefined || isTexts(auxAddresses))
  )
}

function compareSubnets(here: NetworkSettings, there: NetworkSettings): readonly string[] {
  const [left, right] = [byFamily(here), byFamily(there)]
  const [before, after] = [left, right].map((pools) => pools.map(({ subnet }) => subnet).join(' '))
  if (before !== after) return compare('subnet', before ?? '', after ?? '')
  return left.flatMap((pool, index) => comparePools(pool, right[index] ?? pool))
}

/** Engines show them now in one order, now in the other. */
function byFamily({ ipam }: NetworkSettings): readonly PoolSettings[] {
  const six = ipam.filter(({ subnet }) => subnet.includes(':'))
  return [...ipam.filter((pool) => !six.includes(pool)), ...six]
}

/** A gateway that one of them does not show was chosen by whoever shows it. */
function comparePools(here: PoolSettings, there: PoolSettings): readonly string[] {
  const isChosen = here.gateway !== undefined && there.gateway !== undefined
  return [
    ...compare('ip-range', here.ipRange ?? '', there.ipRange ?? ''),
    ...(isChosen ? compare('gateway', here.gateway, there.gateway) : []),
    ...compareTexts('aux-address', here.auxAddresses ?? {}, there.auxAddresses ?? {}),
  ]
}

function compareTexts(what: string, here: Texts, there: Texts): readonly string[] {
  const keys = new Set([...Object.keys(here), ...Object.keys(there)])
  return [...keys].flatMap((key) => compare(`${what} ${key}`, here[key], there[key]))
}

function compare<T extends string | boolean | undefined>(
  what: string,
  here: T,
  there: T,
): readonly string[] {
  return here === there ? [] : [`${what}: ${show(here)} here, ${show(there)} in the cluster`]
}

function show(value: string | boolean | undefined): string {
  if (value === undefined || value === '') return 'none'
  return typeof value === 'boolean' ? String(value) : JSON.stringify(value)
}

function withoutFamilies(options: Texts): Texts {
  return Object.fromEntries(Object.entries(options).filter(([key]) => !familyOption.test(key)))
}

function withoutTools(labels: Texts): Texts {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !toolLabels.has(key)))
}

function isPrefix(value: unknown): value is string {
  return isText(value) && parsePrefix(value) !== undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isTexts(value: unknown): value is Texts {
  return isRecord(value) && Object.values(value).every(isText)
}
