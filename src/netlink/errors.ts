/**
 * What the kernel said no with: number, name, and its own words where it has any.
 *
 * The trap: names are Node's, and Node knows one name for the two that share number 95; an operation
 * that the kernel does not support reads `ENOTSUP` here, never `EOPNOTSUPP`.
 */

import { getSystemErrorMap } from 'node:util'

export class NetlinkError extends Error {
  override readonly name = 'NetlinkError'
  /** Positive, as in errno(3). */
  readonly errno: number
  /** `EEXIST`, `ENODEV`, …; `E<number>` when Node has no name for it. */
  readonly code: string
  /** The kernel's explanation (NETLINK_EXT_ACK), when it gave one. */
  readonly detail: string | undefined

  /** @param what the attempted action, as an infinitive: `create bridge wvb000001`. */
  constructor(what: string, errno: number, detail?: string) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, `error ${errno}`]
    super(`${what}: ${text}${detail === undefined ? '' : ` (${detail})`}`)
    this.errno = errno
    this.code = code
    this.detail = detail
  }
}

/** True for a kernel error with one of these codes; anything else is for the caller to rethrow. */
export function isNetlinkError(error: unknown, ...codes: readonly string[]): error is NetlinkError {
  return error instanceof NetlinkError && codes.includes(error.code)
}
