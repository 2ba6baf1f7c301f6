/** Carries out steps with as few system calls as possible; the kernel takes the requests in order. */

import { isNetlinkError } from '../netlink/errors.ts'
import type { NetlinkError } from '../netlink/errors.ts'
import type { Request } from '../netlink/message.ts'
import type { RouteSocket } from '../netlink/socket.ts'
import type { StepFailure } from '../reconcile/reconcile.ts'

/** A failed request fails its step; what a `delete…` step wanted gone and is gone is no failure. */
export async function takeSteps<Step extends { readonly kind: string }>(
  socket: RouteSocket,
  steps: readonly Step[],
  requestsFor: (step: Step) => readonly Request[],
): Promise<readonly StepFailure<Step>[]> {
  const all = steps.flatMap((step) => requestsFor(step).map((request) => ({ step, request })))
  const errors = await socket.request(all.map(({ request }) => request))
  const failures = new Map<Step, StepFailure<Step>>()
  for (const [index, { step }] of all.entries()) {
    const cause = errors[index]
    if (cause === undefined || isGone(step, cause) || failures.has(step)) continue
    failures.set(step, { step, cause })
  }
  return [...failures.values()]
}

function isGone({ kind }: { readonly kind: string }, error: NetlinkError): boolean {
  return kind.startsWith('delete') && isNetlinkError(error, 'ENOENT', 'ENODEV')
}
