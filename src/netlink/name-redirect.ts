/**
 * Are the rules of `name-rules.ts` in place, with an owner if the kernel can?
 *
 * The trap: nobody tells us when somebody in the container flushes them. A heartbeat does: the rules drop it, which its
 * sender is told as EPERM; without them it arrives.
 */

import { isNetlinkError } from './errors.ts'
import type { NetlinkError } from './errors.ts'
import type { Request } from './message.ts'
import { encodeNameRules, encodeNoNameRules } from './name-rules.ts'

export interface NameRedirect {
  /** In place when it returns, and alive. @throws NetlinkError when the kernel refuses; nothing is in place then. */
  readonly load: () => void
  /** Missing ones are no error. */
  readonly unload: () => void
  /** @returns false when the rules have gone. */
  readonly beat: () => boolean
}

export interface NameRedirectOptions {
  readonly udpPort: number
  readonly tcpPort: number
  /** Whether to try. */
  readonly owned: boolean
  /** All or nothing; the first refusal. */
  readonly commit: (requests: readonly Request[]) => NetlinkError | undefined
  /** The errno, zero for success. */
  readonly sendBeat: () => number
}

/** asm-generic/errno-base.h */
const EPERM = 1

export function createNameRedirect(options: NameRedirectOptions): NameRedirect {
  const { udpPort, tcpPort, commit, sendBeat } = options
  let { owned } = options

  function commitRules(): NetlinkError | undefined {
    return commit(encodeNameRules({ udpPort, tcpPort, owned }))
  }
  function unload(): void {
    commit(encodeNoNameRules())
  }
  /** Tried twice, for the first may be told what became of an earlier one. */
  function beat(): boolean {
    return sendBeat() === EPERM || sendBeat() === EPERM
  }

  return {
    load() {
      let refusal = commitRules()
      if (owned && isNetlinkError(refusal, 'ENOTSUP', 'EINVAL')) {
        owned = false
        refusal = commitRules()
      }
      if (refusal !== undefined) throw refusal
      if (beat()) return
      unload()
      throw new Error('rules for names were loaded, but do not see what is sent')
    },
    unload,
    beat,
  }
}
