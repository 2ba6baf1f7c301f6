/**
 * Which address of this host do the others reach it on?
 *
 * Unless the user says, the kernel's own routing answers: a UDP socket that is "connected" towards
 * the first peer, the store, or the default route shows the source address the kernel would use,
 * without sending anything. No command is run and no interface name is guessed.
 */

import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { parseIp } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import { addressNotHere, noUnderlay } from '../model/faults.ts'

/** TEST-NET-1 (RFC 5737): never on a link, so its route is the default one. Nothing is sent. */
const somewhereElse = '192.0.2.1'
const anyPort = 9

export interface Underlay {
  readonly address: IpAddress
  readonly device: string
}

/**
 * @param towards addresses that should be reachable from the chosen one, best first.
 * @throws ADDRESS_NOT_HERE when `chosen` is not on this host, NO_UNDERLAY when nothing was found.
 */
export async function findUnderlay(
  chosen: IpAddress | undefined,
  towards: readonly string[],
): Promise<Underlay> {
  const own = ownAddresses()
  const address = chosen ?? (await sourceAddress(towards, own))
  if (address === undefined) throw noUnderlay([...own.keys()])
  const device = own.get(address)
  if (device === undefined) throw addressNotHere(address, [...own.keys()])
  return { address, device }
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
  for (const target of [...towards, somewhereElse]) {
    const source = await sourceTowards(target)
    if (source !== undefined && own.has(source)) return source
  }
  return own.size === 1 ? [...own.keys()][0] : undefined
}

function sourceTowards(target: string): Promise<IpAddress | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(target.includes(':') ? 'udp6' : 'udp4')
    function finish(source: IpAddress | undefined): void {
      socket.close()
      resolve(source)
    }
    socket.once('error', () => finish(undefined))
    socket.once('connect', () => finish(parseIp(socket.address().address)))
    socket.connect(anyPort, target)
  })
}
