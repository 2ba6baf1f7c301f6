/**
 * Attributes: the type-length-value records that netlink messages are made of.
 *
 *   0        2        4
 *   length   type     payload … padding to a multiple of 4
 *
 * `length` counts the header but not the padding. Numbers are in host order, which is little-endian
 * on every machine this runs on (`socket.ts` refuses others); `big…` are for the network's order.
 */

export type Attributes = ReadonlyMap<number, Buffer>

/** linux/netlink.h */
const NLA_F_NESTED = 0x8000
const typeMask = 0x3fff
const headerBytes = 4

export function attribute(type: number, payload: Uint8Array): Buffer {
  const length = headerBytes + payload.length
  const bytes = Buffer.alloc(aligned(length))
  bytes.writeUInt16LE(length, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(payload, headerBytes)
  return bytes
}

/** An attribute whose payload is attributes; `undefined` children are left out. */
export function nested(type: number, children: readonly (Buffer | undefined)[]): Buffer {
  return attribute(type | NLA_F_NESTED, join(children))
}

export function u8(value: number): Buffer {
  return Buffer.from([value])
}

export function u16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16LE(value)
  return bytes
}

export function bigU16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(value)
  return bytes
}

export function bigU32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function bigU64(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

/** Text with the terminating zero that the kernel expects. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}

export function join(parts: readonly (Uint8Array | undefined)[]): Buffer {
  return Buffer.concat(parts.filter((part) => part !== undefined))
}

/** What lies behind a message's fixed header. Later duplicates win; a cut record ends the list. */
export function readAttributes(bytes: Buffer, start = 0): Attributes {
  const found = new Map<number, Buffer>()
  let at = start
  while (at + headerBytes <= bytes.length) {
    const length = bytes.readUInt16LE(at)
    if (length < headerBytes || at + length > bytes.length) break
    found.set(bytes.readUInt16LE(at + 2) & typeMask, bytes.subarray(at + headerBytes, at + length))
    at += aligned(length)
  }
  return found
}

export function readNested(attributes: Attributes, type: number): Attributes {
  const bytes = attributes.get(type)
  return bytes === undefined ? new Map() : readAttributes(bytes)
}

export function readU8(attributes: Attributes, type: number): number | undefined {
  return attributes.get(type)?.readUInt8()
}

export function readBigU16(attributes: Attributes, type: number): number | undefined {
  return attributes.get(type)?.readUInt16BE()
}

export function readU32(attributes: Attributes, type: number): number | undefined {
  return attributes.get(type)?.readUInt32LE()
}

export function readText(attributes: Attributes, type: number): string | undefined {
  return attributes.get(type)?.toString().replace(/\0+$/, '')
}

export function aligned(length: number): number {
  return (length + 3) & ~3
}
