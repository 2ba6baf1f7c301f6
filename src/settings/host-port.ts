/**
 * `host`, `host:port`, `10.0.0.1:6783`, `[fd00::1]:6783`: how people name a TCP address.
 *
 * The trap: an IPv6 address has colons of its own. Bare (`fd00::1`) it is taken as an address without
 * a port; with a port it needs brackets. Names are lower-cased, addresses made canonical, so that the
 * same peer given twice is seen to be the same.
 *
 * Problems are returned as text, for the caller to put the flag's name before.
 */

import { isIpv4, parseIp } from '../model/address.ts'
import { isPort } from '../model/cluster.ts'

export interface HostPort {
  /** Name or address, without brackets. */
  readonly host: string
  readonly port?: number
}

export type Parsed<T> =
  | { readonly kind: 'good'; readonly value: T }
  /** What would be right, as a sentence. */
  | { readonly kind: 'bad'; readonly hint: string }

const hostLabel = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/
const digitsAndDots = /^[\d.]+$/
const portText = /^\d{1,5}$/

export function parseHostPort(text: string): Parsed<HostPort> {
  if (text.trim() === '') return bad('Give a host name or an address, such as host1 or 10.0.0.1.')
  const scheme = /^[a-z][a-z0-9+.-]*:\/\/([^/]*)/i.exec(text)
  if (scheme !== null) return bad(`Leave the scheme away: ${scheme[1] ?? 'HOST'}`)
  const bare = parseIp(text)
  if (bare !== undefined) return good({ host: bare })
  const { host: hostText, port: portPart } = split(text)
  const host = readHost(hostText)
  if (host === undefined) return bad(hintFor(text))
  if (portPart === undefined) return good({ host })
  const port = portText.test(portPart) ? Number(portPart) : 0
  return isPort(port)
    ? good({ host, port })
    : bad(`A port is a number from 1 to 65535, as in ${formatHostPort({ host, port: 6783 })}.`)
}

/** Inverse of `parseHostPort`. */
export function formatHostPort({ host, port }: HostPort): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === undefined ? name : `${name}:${port}`
}

export function good<T>(value: T): Parsed<T> {
  return { kind: 'good', value }
}

export function bad(hint: string): { readonly kind: 'bad'; readonly hint: string } {
  return { kind: 'bad', hint }
}

function split(text: string): { host: string; port?: string } {
  const found = /^(\[[^\]]*\]|[^:]*)(?::([^:]*))?$/.exec(text)
  const [, host = text, port] = found ?? []
  return port === undefined ? { host } : { host, port }
}

function readHost(text: string): string | undefined {
  if (text.startsWith('[') && text.endsWith(']')) {
    const ip = parseIp(text.slice(1, -1))
    return ip !== undefined && !isIpv4(ip) ? ip : undefined
  }
  if (digitsAndDots.test(text)) return parseIp(text)
  const name = text.toLowerCase().replace(/\.$/, '')
  const labels = name.split('.')
  return name.length <= 253 && labels.every((label) => hostLabel.test(label)) ? name : undefined
}

function hintFor(text: string): string {
  if (text.includes('%'))
    return 'Give an address that is routed: a link-local one is another host on each link.'
  const colons = text.split(':').length - 1
  if (colons > 1) return 'An IPv6 address with a port needs brackets, as in [fd00::1]:6783.'
  return 'Use HOST, HOST:PORT, ADDRESS:PORT or [IPV6]:PORT, as in host1 or 10.0.0.1:6783.'
}
