/** Keys as the rest of the program knows them, and as they stand in etcd: with the user's prefix. */

import type { StoreRecord } from '../store.ts'
import type { KeyValue } from './generated/rpc.ts'

export interface Keys {
  readonly encode: (key: string) => Buffer
  readonly decode: (bytes: Buffer) => string
  readonly record: (kv: KeyValue) => StoreRecord
}

export function createKeys(prefix: string): Keys {
  function decode(bytes: Buffer): string {
    return bytes.toString('utf8').slice(prefix.length)
  }
  return {
    encode: (key) => Buffer.from(prefix + key),
    decode,
    record: ({ key, value, modRevision, lease }) => ({
      key: decode(key),
      text: value.toString('utf8'),
      revision: modRevision,
      lease,
    }),
  }
}

/** The first key after all that begin with `prefix`, for a range. */
export function endOf(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix)
  for (let index = end.length - 1; index >= 0; index -= 1) {
    const byte = end[index] ?? 0
    if (byte === 0xff) continue
    end[index] = byte + 1
    return end.subarray(0, index + 1)
  }
  return Buffer.from([0])
}
