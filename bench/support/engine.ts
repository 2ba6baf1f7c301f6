/** How is a lab host's Docker engine asked without the time that a command line takes? */

import { request } from 'node:http'
import type { Host } from '../../test/support/lab/lab.ts'

export interface Reply {
  readonly status: number
  readonly text: string
}

/** @param path such as `/networks/NAME`; `method` is GET unless told. */
export function askEngine(host: Host, path: string, method = 'GET'): Promise<Reply> {
  const socketPath = host.path('/run/docker.sock')
  return new Promise((resolve, reject) => {
    request({ socketPath, path, method }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
      .on('error', reject)
      .end()
  })
}
