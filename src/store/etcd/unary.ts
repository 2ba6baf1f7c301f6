/** One request, one reply, one deadline: gRPC's callback as a promise. */

import { Metadata } from '@grpc/grpc-js'
import type { Client, MethodDefinition } from '@grpc/grpc-js'

export interface OneCall<Request> {
  readonly request: Request
  /** Time of day, as `Date.now()`. */
  readonly deadlineMs: number
}

/** @throws ServiceError as gRPC gives it. */
export function callOnce<Request, Reply>(
  client: Client,
  method: MethodDefinition<Request, Reply>,
  { request, deadlineMs }: OneCall<Request>,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      { deadline: deadlineMs },
      (error, reply) => {
        if (error !== null) reject(error)
        else if (reply === undefined) reject(new Error(`${method.path}: no reply and no error`))
        else resolve(reply)
      },
    )
  })
}
