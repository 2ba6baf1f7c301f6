/** Sockets of IPv4, opened in the calling thread's network namespace and for a file descriptor's price. */

import type { Ipv4 } from '../model/address.ts'
import { ipBytes } from '../model/address.ts'
import { u32 } from './attribute.ts'
import { bind, close, connect, setOption, socket, socketName } from './libc.ts'
import {
  AF_INET,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from './uapi.ts'

// asm-generic/socket.h
const SO_REUSEADDR = 2
const SO_MARK = 36

/** struct sockaddr_in: family, port, address, padding */
const addressBytes = 16

export interface InetOptions {
  readonly kind: 'datagram' | 'stream'
  /** Needs CAP_NET_ADMIN. */
  readonly mark?: number
  readonly bindTo?: { readonly address: Ipv4; readonly port: number }
  /** A stream's connection is only begun. */
  readonly connectTo?: { readonly address: Ipv4; readonly port: number }
}

/** Never blocks. @throws NetlinkError; nothing is left open then. */
export function openInet(options: InetOptions): number {
  const kind = options.kind === 'datagram' ? SOCK_DGRAM : SOCK_STREAM
  const fd = socket(AF_INET, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
  try {
    if (options.mark !== undefined) setOption(fd, SOL_SOCKET, SO_MARK, u32(options.mark))
    if (options.bindTo !== undefined) bind(fd, encodeAddress(options.bindTo))
    if (options.connectTo !== undefined) connect(fd, encodeAddress(options.connectTo))
    return fd
  } catch (error) {
    close(fd)
    throw error
  }
}

export function portOf(fd: number): number {
  return socketName(fd, addressBytes).readUInt16BE(2)
}

/** From now on nobody else can bind to the same port, not even one who asks to share it. */
export function refuseSharing(fd: number): void {
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, u32(0))
}

function encodeAddress({
  address,
  port,
}: {
  readonly address: Ipv4
  readonly port: number
}): Buffer {
  const bytes = Buffer.alloc(addressBytes)
  bytes.writeUInt16LE(AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set(ipBytes(address), 4)
  return bytes
}
