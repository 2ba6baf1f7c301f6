/** Says anything at all to a unix socket, and brings back what is answered. */

import { request } from 'node:http'
import { connect } from 'node:net'

export interface Reply {
  readonly status: number
  /** Parsed; undefined when it is not JSON. */
  readonly body: unknown
}

export interface Message {
  readonly method: string
  readonly path: string
  readonly body?: string | Uint8Array
}

const deadlineMs = 20_000

/** An HTTP request. Rejects when the connection ends before there is an answer. */
export function send(socketPath: string, { method, path, body = '' }: Message): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(deadlineMs)
    const call = request({ socketPath, path, method, agent: false, signal }, (reply) => {
      let text = ''
      reply.setEncoding('utf8').on('data', (part: string) => (text += part))
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body: parse(text) }))
    })
    // Whoever is told that a body is too long may not be read to its end.
    call.on('error', reject).end(body)
  })
}

/** Bytes, HTTP or not, then no more. What comes back until the other end closes. */
export function sendRaw(socketPath: string, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath)
    let text = ''
    socket.setTimeout(deadlineMs, () => socket.destroy(new Error('no answer, and not closed')))
    socket.setEncoding('utf8').on('data', (part: string) => (text += part))
    socket.on('error', reject).on('close', () => resolve(text))
    socket.end(bytes)
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
