/**
 * Which address of this host do the others reach it on?
 *
 * Unless the user says, the kernel's own routing answers: a UDP socket that is "connected" towards
 * another host, the store, or the default route shows the source address the kernel would use,
 * without sending anything. No command is run and no interface name is guessed.
 *
 * The trap: a tunnel carries one family only, so all hosts of a cluster must be reached by the same
 * one. Hence the living hosts are asked for first; and what was found at a launch stays as long as
 * this host has it, for at a restart nobody but the store is known, which may be of the other family.
 */

import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { familyOf, parseIp } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import type { Host } from '../model/cluster.ts'
import { addressNotHere, familiesDiffer, noUnderlay } from '../model/faults.ts'
import { parseHostPort } from '../settings/host-port.ts'

/** For documentation (RFC 5737, RFC 3849): never on a link, so their route is the default one. */
const somewhereElse = ['192.0.2.1', '2001:db8::1']
const anyPort = 9

export interface Underlay {
  readonly address: IpAddress
  readonly device: string
}

export interface UnderlayHints {
  /** What the user said. */
  readonly chosen?: IpAddress | undefined
  /** What was found at the launch. */
  readonly before?: IpAddress | undefined
  /** Hosts, by address or name, that should be reachable from the chosen one; best first. */
  readonly towards: readonly string[]
}

/** @throws ADDRESS_NOT_HERE when `chosen` is not on this host, NO_UNDERLAY when nothing was found. */
export async function findUnderlay({ chosen, before, towards }: UnderlayHints): Promise<Underlay> {
  const own = ownAddresses()
  const kept = before !== undefined && own.has(before) ? before : undefined
  const address = chosen ?? kept ?? (await sourceAddress(towards, own))
  if (address === undefined) throw noUnderlay([...own.keys()])
  const device = own.get(address)
  if (device === undefined) throw addressNotHere(address, [...own.keys()])
  return { address, device }
}

/** @throws FAMILIES_DIFFER */
export function requireOneFamily(address: IpAddress, others: readonly Host[]): void {
  const family = familyOf(address)
  const other = others.find((host) => familyOf(host.address) !== family)
  if (other === undefined) return
  const fitting = [...ownAddresses().keys()].filter((own) => familyOf(own) !== family)
  throw familiesDiffer({ address, other: `${other.nickname} (${other.address})`, fitting })
}

/** The host of each endpoint, HOST:PORT. */
export function hostsOf(endpoints: readonly string[]): readonly string[] {
  return endpoints.flatMap((endpoint) => {
    const parsed = parseHostPort(endpoint)
    return parsed.kind === 'good' ? [parsed.value.host] : []
  })
}

/** Every address of this host and the interface that it is on, loopback left out. */
function ownAddresses(): ReadonlyMap<IpAddress, string> {
  const all = new Map<IpAddress, string>()
  for (const [device, addresses] of Object.entries(networkInterfaces())) {
    for (const { address, internal, scopeid } of addresses ?? []) {
      const ip = parseIp(address)
      if (ip !== undefined && !internal && (scopeid ?? 0) === 0) all.set(ip, device)
    }
  }
  return all
}

/** Whether `ip` leads back to this very host. */
export function isOwnAddress(ip: IpAddress): boolean {
  return ip.startsWith('127.') || ip === '::1' || ownAddresses().has(ip)
}

async function sourceAddress(
  towards: readonly string[],
  own: ReadonlyMap<IpAddress, string>,
): Promise<IpAddress | undefined> {
  for (const target of [...towards, ...somewhereElse]) {
    const source = await sourceTowards(target)
    if (source !== undefined && own.has(source)) return source
  }
  return own.size === 1 ? [...own.keys()][0] : undefined
}

/** A name may have addresses of either family. */
async function sourceTowards(target: string): Promise<IpAddress | undefined> {
  const ip = parseIp(target)
  if (ip !== undefined) return await sourceOf(familyOf(ip), ip)
  return (await sourceOf('IPv4', target)) ?? (await sourceOf('IPv6', target))
}

function sourceOf(family: 'IPv4' | 'IPv6', target: string): Promise<IpAddress | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(family === 'IPv4' ? 'udp4' : 'udp6')
    function finish(source: IpAddress | undefined): void {
      socket.close()
      resolve(source)
    }
    socket.once('error', () => finish(undefined))
    socket.once('connect', () => finish(parseIp(socket.address().address)))
    socket.connect(anyPort, target)
  })
}
