/**
 * gRPC to etcd with the manners that every caller needs: a deadline on each call, another endpoint
 * after a failure, faults instead of status codes.
 *
 * The trap: after "no answer" a write may have happened. Only reads are therefore tried again here;
 * whoever writes reads first and decides again.
 */

import { Metadata } from '@grpc/grpc-js'
import type { ClientDuplexStream, MethodDefinition } from '@grpc/grpc-js'
import { createConnections } from './connections.ts'
import type { Connections } from './connections.ts'
import { isNoAnswer, toFault } from './errors.ts'
import { callOnce } from './unary.ts'

export interface EtcdClient extends Disposable {
  readonly endpoints: readonly string[]
  readonly timeoutMs: number
  /** Tried on each endpoint in turn until the deadline. */
  readonly read: <Request, Reply>(
    method: MethodDefinition<Request, Reply>,
    request: Request,
  ) => Promise<Reply>
  /** Sent at most once. */
  readonly write: <Request, Reply>(
    method: MethodDefinition<Request, Reply>,
    request: Request,
  ) => Promise<Reply>
  /**
   * A stream on an endpoint whose connection stands; cancelled when `signal` aborts. Its errors
   * come to whoever iterates it, as gRPC gives them.
   */
  readonly open: <Request, Reply>(
    method: MethodDefinition<Request, Reply>,
    signal: AbortSignal,
  ) => Promise<ClientDuplexStream<Request, Reply>>
}

export interface ClientOptions {
  /** `host:port`, names or addresses; IPv6 in brackets. */
  readonly endpoints: readonly string[]
  readonly timeoutMs?: number
}

const defaultTimeoutMs = 5000

export function createEtcdClient(options: ClientOptions): EtcdClient {
  const { endpoints, timeoutMs = defaultTimeoutMs } = options
  if (endpoints.length === 0) throw new Error('an etcd client needs at least one endpoint')
  const connections = createConnections(endpoints)

  async function attempt<Request, Reply>(
    method: MethodDefinition<Request, Reply>,
    { request, deadlineMs, attempts }: Attempt<Request>,
  ): Promise<Reply> {
    const connection = await connections.acquire(deadlineMs)
    const share = Math.max((deadlineMs - Date.now()) / attempts, 1)
    try {
      return await callOnce(connection.client, method, { request, deadlineMs: Date.now() + share })
    } catch (error) {
      if (!isNoAnswer(error)) throw error
      connections.avoid(connection)
      if (attempts === 1) throw error
      return attempt(method, { request, deadlineMs, attempts: attempts - 1 })
    }
  }

  async function call<Request, Reply>(
    method: MethodDefinition<Request, Reply>,
    { request, attempts }: Omit<Attempt<Request>, 'deadlineMs'>,
  ): Promise<Reply> {
    try {
      return await attempt(method, { request, attempts, deadlineMs: Date.now() + timeoutMs })
    } catch (error) {
      throw toFault(error, endpoints)
    }
  }

  return {
    endpoints,
    timeoutMs,
    read: (method, request) => call(method, { request, attempts: endpoints.length }),
    write: (method, request) => call(method, { request, attempts: 1 }),
    open: (method, signal) => openStream(connections, method, { signal, timeoutMs }),
    [Symbol.dispose]: connections.close,
  }
}

async function openStream<Request, Reply>(
  connections: Connections,
  method: MethodDefinition<Request, Reply>,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<ClientDuplexStream<Request, Reply>> {
  const connection = await connections.acquire(Date.now() + timeoutMs)
  signal.throwIfAborted()
  const stream = connection.client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    leaderOnly(),
  )
  function cancel(): void {
    stream.cancel()
  }
  signal.addEventListener('abort', cancel, { once: true })
  // Without a listener an error that arrives between two reads would end the process.
  stream.on('error', (error) => {
    if (isNoAnswer(error)) connections.avoid(connection)
  })
  stream.on('close', () => signal.removeEventListener('abort', cancel))
  return stream
}

interface Attempt<Request> {
  readonly request: Request
  readonly deadlineMs: number
  readonly attempts: number
}

/** A member cut off from its cluster ends the stream instead of falling silent. */
function leaderOnly(): Metadata {
  const metadata = new Metadata()
  metadata.set('hasleader', 'true')
  return metadata
}
