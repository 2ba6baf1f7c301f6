/** Renews a lease until told to stop, across broken connections, for as long as the store knows it. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseId } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { LeaseKeepAliveRequest, LeaseService } from './generated/rpc.ts'
import type { LeaseKeepAliveResponse } from './generated/rpc.ts'

const pauseMs = 500
/** Of the time to live, after which the next renewal is due. */
const share = 1 / 3

export async function keepLease(
  client: EtcdClient,
  lease: LeaseId,
  signal: AbortSignal,
): Promise<'aborted' | 'expired'> {
  while (!signal.aborted) {
    const outcome = await renew(client, lease, signal).catch(() => 'broken' as const)
    if (outcome === 'expired') return outcome
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
  }
  return 'aborted'
}

async function renew(client: EtcdClient, lease: LeaseId, signal: AbortSignal): Promise<'expired'> {
  const stream = await client.open(LeaseService.leaseKeepAlive, signal)
  const request = LeaseKeepAliveRequest.fromPartial({ ID: lease })
  let silence: NodeJS.Timeout | undefined
  function ask(): void {
    clearTimeout(silence)
    silence = setTimeout(() => stream.cancel(), client.timeoutMs)
    stream.write(request)
  }
  try {
    ask()
    for await (const message of stream) {
      const reply: LeaseKeepAliveResponse = message
      clearTimeout(silence)
      if (reply.TTL <= 0n) return 'expired'
      await sleep(Number(reply.TTL) * 1000 * share, undefined, { signal })
      ask()
    }
    throw new Error('the stream ended')
  } finally {
    clearTimeout(silence)
    stream.cancel()
  }
}
