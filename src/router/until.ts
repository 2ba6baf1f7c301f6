import { setTimeout as sleep } from 'node:timers/promises'

const stepMs = 5

/** Looks again and again until `isTrue` or the time is over; says which. Ends early on abort. */
export async function until(
  isTrue: () => boolean,
  { withinMs, signal }: { readonly withinMs: number; readonly signal?: AbortSignal },
): Promise<boolean> {
  const deadline = Date.now() + withinMs
  while (!isTrue()) {
    if (Date.now() > deadline || signal?.aborted === true) return false
    await sleep(stepMs)
  }
  return true
}
