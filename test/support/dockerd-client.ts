/**
 * Talks to a plugin as dockerd does, down to the headers: a stand-in for its Go client.
 *
 *   - POST only, no Content-Type, an empty Host (engines before 20.10.26)
 *   - at most two idle connections, kept for ever
 *   - the body ends with a newline; calls without an argument have none
 *   - a reply other than 200, or without JSON, is an error whose text is "Err", else the body
 */

import { Agent, request } from 'node:http'

export interface DockerdClient {
  /** The reply of a call that succeeded. @throws Error as dockerd would word it */
  readonly call: (method: string, argument?: unknown) => Promise<unknown>
  /** Status and text, whatever they are, to a body sent as it is. */
  readonly send: (path: string, body: string | Buffer) => Promise<{ status: number; text: string }>
  readonly idleConnections: () => number
  readonly [Symbol.dispose]: () => void
}

export function createDockerdClient(socketPath: string): DockerdClient {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 2 })
  function send(path: string, body: string | Buffer): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers = {
        host: '',
        'user-agent': 'Go-http-client/1.1',
        'content-length': Buffer.byteLength(body),
        accept: 'application/vnd.docker.plugins.v1.2+json',
        'accept-encoding': 'gzip',
      }
      const outgoing = request({ socketPath, agent, method: 'POST', path, headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() })
        })
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }
  return {
    send,
    async call(method, argument) {
      const body = argument === undefined ? '' : `${JSON.stringify(argument)}\n`
      const { status, text } = await send(`/${method}`, body)
      if (status !== 200) throw new Error(`${method}: ${errorText(text)}`)
      return JSON.parse(text)
    },
    idleConnections: () => Object.values(agent.freeSockets).flat().length,
    [Symbol.dispose]() {
      agent.destroy()
    },
  }
}

function errorText(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text)
    const found: unknown = Object(parsed)['Err']
    return typeof found === 'string' && found !== '' ? found : text
  } catch {
    return text
  }
}
