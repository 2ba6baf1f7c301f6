/**
 * The few libc calls that Node has no counterpart for, as typed functions.
 *
 * The trap: `errno` belongs to the thread and is overwritten by the next call. It is therefore read
 * here, at once, and handed on in a `NetlinkError`; nobody else asks for it.
 *
 * `…Async` runs on libuv's thread pool: the buffer must stay untouched until the promise settles.
 */

import koffi from 'koffi'
import { NetlinkError } from './errors.ts'

type Call<Args extends readonly unknown[]> = (...args: Args) => number | bigint
type AsyncCall<Args extends readonly unknown[]> = (
  ...args: [...Args, (error: unknown, result: number | bigint) => void]
) => void

const library = koffi.load('libc.so.6')

type Transfer = [fd: number, bytes: Uint8Array, length: number, flags: number]
const rawSend: Call<Transfer> & { async: AsyncCall<Transfer> } = library.func(
  'int64_t send(int, const void *, size_t, int)',
)
const rawReceive: Call<Transfer> & { async: AsyncCall<Transfer> } = library.func(
  'int64_t recv(int, void *, size_t, int)',
)
const rawSocket: Call<[domain: number, type: number, protocol: number]> = library.func(
  'int socket(int, int, int)',
)
const rawBind: Call<[fd: number, address: Uint8Array, length: number]> = library.func(
  'int bind(int, const void *, uint32_t)',
)
const rawConnect: Call<[fd: number, address: Uint8Array, length: number]> = library.func(
  'int connect(int, const void *, uint32_t)',
)
const rawSocketName: Call<[fd: number, address: Uint8Array, length: Uint8Array]> = library.func(
  'int getsockname(int, void *, void *)',
)
const rawSetOption: Call<
  [fd: number, level: number, name: number, value: Uint8Array, length: number]
> = library.func('int setsockopt(int, int, int, const void *, uint32_t)')
const rawControl: Call<[fd: number, command: number, value: number]> = library.func(
  'int fcntl(int, int, int)',
)
const rawClose: Call<[fd: number]> = library.func('int close(int)')
const rawSetns: Call<[fd: number, kind: number]> = library.func('int setns(int, int)')

/** errno values that are not failures but answers (asm-generic/errno.h). */
const EINTR = 4
const EAGAIN = 11
const EINPROGRESS = 115
/** linux/socket.h */
const MSG_TRUNC = 0x20
const MSG_DONTWAIT = 0x40
/** asm-generic/fcntl.h */
const F_DUPFD_CLOEXEC = 1030

export function socket(domain: number, type: number, protocol: number): number {
  return checked('socket', rawSocket(domain, type, protocol))
}

export function bind(fd: number, address: Uint8Array): void {
  checked('bind', rawBind(fd, address, address.length))
}

/** Begins only, where the socket does not block. */
export function connect(fd: number, address: Uint8Array): void {
  const result = rawConnect(fd, address, address.length)
  if (result < 0 && koffi.errno() === EINPROGRESS) return
  checked('connect', result)
}

/** @param size of the address that the socket's family has. */
export function socketName(fd: number, size: number): Buffer {
  const address = Buffer.alloc(size)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(size)
  checked('getsockname', rawSocketName(fd, address, length))
  return address
}

export function setOption(fd: number, level: number, name: number, value: Uint8Array): void {
  checked(`setsockopt ${name}`, rawSetOption(fd, level, name, value, value.length))
}

export function close(fd: number): void {
  checked('close', rawClose(fd))
}

/** Another descriptor of the same socket; it, too, is closed when a program is started. */
export function duplicate(fd: number): number {
  return checked('fcntl', rawControl(fd, F_DUPFD_CLOEXEC, 0))
}

/** Moves the calling thread, and only it, into another namespace. */
export function setns(fd: number, kind: number): void {
  checked('setns', rawSetns(fd, kind))
}

/** Without waiting for room. @returns the errno, zero for success. */
export function sendNow(fd: number, bytes: Uint8Array): number {
  return rawSend(fd, bytes, bytes.length, MSG_DONTWAIT) < 0 ? koffi.errno() : 0
}

export async function sendAsync(fd: number, bytes: Uint8Array): Promise<number> {
  return await offThread('send', (done) => rawSend.async(fd, bytes, bytes.length, 0, done))
}

/**
 * Waits for one datagram, as long as the socket's own receive timeout allows.
 * @returns its length, which is more than `buffer` holds when it was cut.
 */
export async function receiveAsync(fd: number, buffer: Uint8Array): Promise<number> {
  return await offThread('recv', (done) =>
    rawReceive.async(fd, buffer, buffer.length, MSG_TRUNC, done),
  )
}

/** As `receiveAsync`, but at once; undefined when nothing is there. */
export function receiveNow(fd: number, buffer: Uint8Array): number | undefined {
  for (;;) {
    const length = Number(rawReceive(fd, buffer, buffer.length, MSG_TRUNC | MSG_DONTWAIT))
    if (length >= 0) return length
    const errno = koffi.errno()
    if (errno === EAGAIN) return undefined
    if (errno !== EINTR) throw new NetlinkError('recv', errno)
  }
}

export interface ReadableWatch {
  readonly stop: () => void
}

/**
 * Calls back on the event loop while `fd` is readable or has failed; does not keep the process
 * alive. libuv stops watching a socket with a pending error (an overrun is one), so every call ends
 * with a fresh start.
 */
export function watchReadable(fd: number, onReadable: () => void): ReadableWatch {
  let stopped = false
  const handle = koffi.node.poll(fd, { readable: true }, ring)
  handle.unref()
  return {
    stop() {
      stopped = true
      handle.close()
    },
  }
  function ring(): void {
    onReadable()
    if (!stopped) handle.start({ readable: true }, ring)
  }
}

async function offThread(
  what: string,
  start: (done: (error: unknown, result: number | bigint) => void) => void,
): Promise<number> {
  for (;;) {
    const { result, errno } = await new Promise<{ result: number; errno: number }>(
      (resolve, reject) => {
        start((error, value) => {
          if (error instanceof Error) reject(error)
          else resolve({ result: Number(value), errno: koffi.errno() })
        })
      },
    )
    if (result >= 0) return result
    if (errno !== EINTR) throw new NetlinkError(what, errno)
  }
}

function checked(what: string, result: number | bigint): number {
  if (result < 0) throw new NetlinkError(what, koffi.errno())
  return Number(result)
}
