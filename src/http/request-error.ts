/**
 * A request that never reached a handler: not HTTP, not JSON, too long, too slow, no such path.
 *
 * How it is worded for the caller depends on the protocol above, so servers are given a function
 * that renders it; this only says which status is due and why.
 */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  /** HTTP status: 400, 404, 405, 408, 413 or 431. */
  readonly status: number

  constructor(status: number, reason: string) {
    super(reason)
    this.status = status
  }
}
