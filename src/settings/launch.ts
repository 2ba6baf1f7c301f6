/**
 * What a router is told when it is launched, and the flags that say it.
 *
 * One place for both `weave launch` and `weave router`: the first checks the flags and hands the very
 * same ones to the second (`launchFlags`), so neither can understand one differently.
 *
 * Nothing is looked up here: a host name is only held to its syntax, an address need not be this
 * host's. That is the router's to find out when it prepares.
 */

import { Option } from 'commander'
import type { Command } from 'commander'
import { z } from 'zod'
import { isIpAddress, parseIp } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import { isHostId } from '../model/cluster.ts'
import type { HostId } from '../model/cluster.ts'
import { badArgument } from '../model/faults.ts'
import { formatClusterStore, parseClusterStore } from './cluster-store.ts'
import { addDnsOptions, dnsFlags, dnsSettings, readDnsOptions } from './dns.ts'
import { given, logLevels, oneOf, readLogLevel, readNumber, runModes } from './flags.ts'
import type { Flags } from './flags.ts'
import { formatHostPort, parseHostPort } from './host-port.ts'
import type { HostPort } from './host-port.ts'
import { isIpallocRange, readIpalloc, readIpallocRange, readIpallocSize } from './ipalloc.ts'

export const defaultPort = 6783
/** The control port is the first of four in a row, see `portsOf`. */
const maxPort = 65_532
const minMtuBytes = 576
const maxMtuBytes = 65_535
const maxNicknameLength = 63

const peerText = z
  .string()
  .refine((text) => normalisedPeer(text) === text, 'not HOST or HOST:PORT in normal form')

export const launchSettings = z.strictObject({
  /** As typed but in normal form, `host` or `host:port`, each once; see `readPeer`. */
  peers: z.array(peerText),
  clusterStore: z
    .strictObject({
      endpoints: z.array(z.string().min(1)).min(1),
      /** Put before every key: empty, or `/prefix`. */
      prefix: z.string(),
    })
    .optional(),
  name: z.custom<HostId>(isHostId, 'not a host name').optional(),
  nickname: z.string().min(1).max(maxNicknameLength).optional(),
  /** On the underlay, where other hosts reach this one; chosen by the router when absent. */
  address: z.custom<IpAddress>(isIpAddress, 'not an IP address').optional(),
  port: z.number().int().min(1).max(maxPort),
  mtuBytes: z.number().int().min(minMtuBytes).max(maxMtuBytes).optional(),
  /** See `readIpalloc`. */
  ipallocRange: z.string().refine(isIpallocRange, 'not an IPv4 subnet').optional(),
  ipallocSize: z.number().int().min(8).max(29).optional(),
  ...dnsSettings,
  logLevel: z.enum(logLevels),
  restart: z.boolean(),
  /** Who keeps the router up; absent when somebody started it by hand in the foreground. */
  runAs: z.enum(runModes).optional(),
})

export type LaunchSettings = z.infer<typeof launchSettings>

export interface Ports {
  /** TCP: other routers. */
  readonly control: number
  /** UDP: VXLAN. */
  readonly data: number
  /** TCP: the managed etcd, for its clients and for its other members. */
  readonly storeClient: number
  readonly storePeer: number
}

export function portsOf(port: number): Ports {
  return { control: port, data: port + 1, storeClient: port + 2, storePeer: port + 3 }
}

/** Adds the flags of a launch; defaults are filled in by `readLaunchOptions`. */
export function addLaunchOptions(command: Command): Command {
  const described = command
    .option(
      '--cluster-store <url>',
      'etcd to use, etcd://HOST:PORT[,HOST:PORT…][/PREFIX] (default: the one Docker uses, else a managed one)',
    )
    .option('--name <name>', "this host's identity (default: random, kept on disk)")
    .option('--nickname <text>', "this host's name for people (default: its host name)")
    .option(
      '--host <address>',
      'IP address on which other hosts reach this one (default: chosen by route)',
    )
    .option('--advertise <address>', 'the same as --host')
    .option(
      '--port <port>',
      `first of the four ports in use: TCP control; UDP data +1; store +2, +3 (default: ${defaultPort})`,
    )
    .option(
      '--mtu <bytes>',
      "MTU of containers' interfaces (default: what the underlay carries, less the overhead)",
    )
    .option(
      '--ipalloc-range <subnet>',
      'where subnets of networks made without --subnet are taken from (default: 10.32.0.0/12)',
    )
    .option('--ipalloc-size <bits>', 'prefix length of such a subnet (default: 20)')
  return addDnsOptions(described)
    .option('--log-level <level>', `${logLevels.join(', ')} (default: info)`)
    .option('--no-restart', 'do not start the router again when it ends')
    .addOption(
      new Option('--run-as <mode>', `${runModes.join(', ')} (default: the first that works here)`),
    )
}

/** Throws a fault that names the flag, its value and what would be right. */
export function readLaunchOptions(options: Flags, peers: readonly string[]): LaunchSettings {
  const clusterStore = given(options, 'clusterStore', readClusterStore)
  const name = given(options, 'name', readName)
  const nickname = given(options, 'nickname', readNickname)
  const address = readAddress(options)
  const mtuBytes = given(options, 'mtu', (text) =>
    readNumber('--mtu', text, { min: minMtuBytes, max: maxMtuBytes }),
  )
  const ipallocRange = given(options, 'ipallocRange', readIpallocRange)
  const ipallocSize = given(options, 'ipallocSize', readIpallocSize)
  readIpalloc({ ipallocRange, ipallocSize })
  const runAs = given(options, 'runAs', (text) => oneOf('--run-as', text, runModes))
  return {
    peers: [...new Set(peers.map(readPeerText))],
    ...(clusterStore === undefined ? {} : { clusterStore }),
    ...(name === undefined ? {} : { name }),
    ...(nickname === undefined ? {} : { nickname }),
    ...(address === undefined ? {} : { address }),
    port: given(options, 'port', readPort) ?? defaultPort,
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
    ...(ipallocRange === undefined ? {} : { ipallocRange }),
    ...(ipallocSize === undefined ? {} : { ipallocSize }),
    ...readDnsOptions(options),
    logLevel: given(options, 'logLevel', readLogLevel) ?? 'info',
    restart: options['restart'] !== false,
    ...(runAs === undefined ? {} : { runAs }),
  }
}

/** Inverse of `readLaunchOptions`: the arguments that say the same. */
export function launchFlags(settings: LaunchSettings): string[] {
  const { clusterStore, name, nickname, address, port, mtuBytes, logLevel, runAs } = settings
  const { ipallocRange, ipallocSize } = settings
  return [
    ...(clusterStore === undefined ? [] : [`--cluster-store=${formatClusterStore(clusterStore)}`]),
    ...(name === undefined ? [] : [`--name=${name}`]),
    ...(nickname === undefined ? [] : [`--nickname=${nickname}`]),
    ...(address === undefined ? [] : [`--host=${address}`]),
    `--port=${port}`,
    ...(mtuBytes === undefined ? [] : [`--mtu=${mtuBytes}`]),
    ...(ipallocRange === undefined ? [] : [`--ipalloc-range=${ipallocRange}`]),
    ...(ipallocSize === undefined ? [] : [`--ipalloc-size=${ipallocSize}`]),
    ...dnsFlags(settings),
    `--log-level=${logLevel}`,
    ...(settings.restart ? [] : ['--no-restart']),
    ...(runAs === undefined ? [] : [`--run-as=${runAs}`]),
    ...settings.peers,
  ]
}

/** A peer of `LaunchSettings`, with the port it is asked on: its own, or the one every host has by default. */
export function readPeer(peer: string): Required<HostPort> {
  const parsed = parseHostPort(peer)
  if (parsed.kind === 'bad') throw badArgument('peer', peer, parsed.hint)
  return { port: defaultPort, ...parsed.value }
}

function readPeerText(text: string): string {
  const parsed = parseHostPort(text)
  if (parsed.kind === 'bad') throw badArgument('peer', text, parsed.hint)
  return formatHostPort(parsed.value)
}

function normalisedPeer(text: string): string | undefined {
  const parsed = parseHostPort(text)
  return parsed.kind === 'good' ? formatHostPort(parsed.value) : undefined
}

function readClusterStore(text: string): LaunchSettings['clusterStore'] {
  const parsed = parseClusterStore(text)
  if (parsed.kind === 'bad') throw badArgument('--cluster-store', text, parsed.hint)
  return { endpoints: [...parsed.value.endpoints], prefix: parsed.value.prefix }
}

function readName(text: string): HostId {
  if (isHostId(text)) return text
  const near = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 63)
  const hint = 'A name has lower-case letters, digits and "-", up to 63, and begins with no "-".'
  throw badArgument('--name', text, isHostId(near) ? `${hint} Nearest: ${near}` : hint)
}

function readNickname(text: string): string {
  if (text.length > 0 && text.length <= maxNicknameLength && !/\p{Cc}/u.test(text)) return text
  const near = text.replaceAll(/\p{Cc}/gu, '').slice(0, maxNicknameLength)
  const hint = `A nickname has 1 to ${maxNicknameLength} characters on one line.`
  throw badArgument('--nickname', text, near === '' ? hint : `${hint} Nearest: ${near}`)
}

/** --host and --advertise are two names of one flag; both may be given only if they agree. */
function readAddress(options: Flags): IpAddress | undefined {
  const host = given(options, 'host', (text) => readIp('--host', text))
  const advertise = given(options, 'advertise', (text) => readIp('--advertise', text))
  if (host !== undefined && advertise !== undefined && host !== advertise) {
    throw badArgument(
      '--advertise',
      advertise,
      `It means the same as --host=${host}: give one of the two.`,
    )
  }
  return host ?? advertise
}

function readIp(flag: string, text: string): IpAddress {
  const bare = parseIp(text.replace(/^\[(.*)\]$/, '$1').replace(/\/\d+$/, ''))
  const ip = parseIp(text)
  if (ip !== undefined) return ip
  throw badArgument(
    flag,
    text,
    bare === undefined
      ? 'Give an IP address of this host, not a name: "ip -brief address" lists them.'
      : `Nearest: ${flag}=${bare}`,
  )
}

function readPort(text: string): number {
  return readNumber('--port', text, { min: 1, max: maxPort })
}
