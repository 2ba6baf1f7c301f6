/**
 * Settings of the kernel's IPv6 for one link: netlink shows them, but they can be changed in /proc/sys only.
 *
 * The traps: /proc/sys is read-only in a container, unless somebody mounted that part of it elsewhere;
 * and the files belong to the network namespace of whoever opens them, not of whoever mounted them.
 */

import { accessSync, constants, writeFileSync } from 'node:fs'
import path from 'node:path'

export interface Ipv6Settings {
  /** Takes no address or route from what others advertise on this link. @throws when it has gone. */
  readonly ignoreRouters: (link: string) => void
  /** Lets the kernel keep neighbours here, whatever the host's default is. @throws when it has gone. */
  readonly switchOn: (link: string) => void
}

/** @param places where the directory may be, best first; undefined when none can be written. */
export function findIpv6Settings(places: readonly string[]): Ipv6Settings | undefined {
  const directory = places.find(isWritable)
  if (directory === undefined) return undefined
  function write(link: string, setting: string, value: string): void {
    writeFileSync(path.join(directory ?? '', link, setting), value)
  }
  return {
    ignoreRouters: (link) => write(link, 'accept_ra', '0'),
    switchOn: (link) => write(link, 'disable_ipv6', '0'),
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(path.join(directory, 'default/accept_ra'), constants.W_OK)
    return true
  } catch {
    return false
  }
}
