/** Whether and how containers' names are answered: the flags that begin with `--dns`, and `--no-dns`. */

import type { Command } from 'commander'
import { z } from 'zod'
import { isIpAddress, parseIp } from '../model/address.ts'
import { badArgument } from '../model/faults.ts'
import { isName, readName } from '../model/name.ts'
import { given, readNumber } from './flags.ts'
import type { Flags } from './flags.ts'

export interface Dns {
  /** Otherwise they are left to Docker. */
  readonly isOn: boolean
  /** Names are also known with this behind them; no dot at the end. */
  readonly domain: string
  /** For how long an answer may be kept: a container may be gone in the next second. */
  readonly ttlSeconds: number
  /** Where the host's own programs may ask, on port 53; nowhere when undefined. */
  readonly listenAddress: string | undefined
}

const usualDomain = 'weave.local'
const usualTtlSeconds = 1
const maxTtlSeconds = 3600
/** A loopback address that nobody else uses. */
const usualAddress = '127.6.7.83'
const nowhere = 'none'

export const dnsSettings = {
  /** Absent: yes. */
  dns: z.boolean().optional(),
  dnsDomain: z.string().refine(isName, 'not a domain name').optional(),
  dnsTtlSeconds: z.number().int().min(0).max(maxTtlSeconds).optional(),
  dnsListenAddress: z.string().refine(isListenAddress, 'not an IP address').optional(),
}

type DnsSettings = z.infer<z.ZodObject<typeof dnsSettings>>

/** What the settings mean. In a swarm, where the router runs as Docker's plugin, Docker answers names. */
export function readDns(
  settings: DnsSettings,
  { runAs }: { readonly runAs?: 'plugin' | undefined },
): Dns {
  const { dnsDomain, dnsTtlSeconds, dnsListenAddress = usualAddress } = settings
  return {
    isOn: settings.dns !== false && runAs !== 'plugin',
    domain: dnsDomain ?? usualDomain,
    ttlSeconds: dnsTtlSeconds ?? usualTtlSeconds,
    listenAddress: dnsListenAddress === nowhere ? undefined : dnsListenAddress,
  }
}

export function addDnsOptions(command: Command): Command {
  return command
    .option('--no-dns', "leave containers' names to Docker, which knows those of its own host")
    .option(
      '--dns-domain <domain>',
      `domain under which names are known, too; the same on all hosts (default: ${usualDomain})`,
    )
    .option(
      '--dns-ttl <seconds>',
      `for how long an answer may be kept (default: ${usualTtlSeconds})`,
    )
    .option(
      '--dns-listen-address <address>',
      `where this host's own programs may ask for names, port 53; or ${nowhere} (default: ${usualAddress})`,
    )
}

/** @throws BAD_ARGUMENT */
export function readDnsOptions(options: Flags): DnsSettings {
  const dnsDomain = given(options, 'dnsDomain', readDomain)
  const dnsTtlSeconds = given(options, 'dnsTtl', (text) =>
    readNumber('--dns-ttl', text, { min: 0, max: maxTtlSeconds }),
  )
  const dnsListenAddress = given(options, 'dnsListenAddress', readListenAddress)
  return {
    ...(options['dns'] === false ? { dns: false } : {}),
    ...(dnsDomain === undefined ? {} : { dnsDomain }),
    ...(dnsTtlSeconds === undefined ? {} : { dnsTtlSeconds }),
    ...(dnsListenAddress === undefined ? {} : { dnsListenAddress }),
  }
}

/** Inverse of `readDnsOptions`. */
export function dnsFlags(settings: DnsSettings): string[] {
  const { dns, dnsDomain, dnsTtlSeconds, dnsListenAddress } = settings
  return [
    ...(dns === false ? ['--no-dns'] : []),
    ...(dnsDomain === undefined ? [] : [`--dns-domain=${dnsDomain}`]),
    ...(dnsTtlSeconds === undefined ? [] : [`--dns-ttl=${dnsTtlSeconds}`]),
    ...(dnsListenAddress === undefined ? [] : [`--dns-listen-address=${dnsListenAddress}`]),
  ]
}

/** Weave has always written the domain with a dot at its end. */
function readDomain(text: string): string {
  const name = readName(text)
  if (name !== undefined) return name
  throw badArgument('--dns-domain', text, `Give a domain name, such as ${usualDomain}.`)
}

function readListenAddress(text: string): string {
  const address = text === nowhere ? nowhere : parseIp(text)
  if (address !== undefined) return address
  const bare = parseIp(text.replace(/:53$/, ''))
  const near = bare === undefined ? '' : ` Nearest: --dns-listen-address=${bare}`
  throw badArgument(
    '--dns-listen-address',
    text,
    `Give an IP address of this host, or ${nowhere}.${near}`,
  )
}

function isListenAddress(text: string): boolean {
  return text === nowhere || isIpAddress(text)
}
