/**
 * Whether a plugin answers on its socket, asked as dockerd asks first: `/Plugin.Activate`.
 */

import { rm, stat } from 'node:fs/promises'
import { request } from 'node:http'

const timeoutMs = 2000

/** Any HTTP answer counts; false when nobody listens or nobody answers in time. */
export function answersOn(socket: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const question = request(
      {
        socketPath: socket,
        path: '/Plugin.Activate',
        method: 'POST',
        agent: false,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      },
      (answer) => {
        answer.resume()
        answer.once('end', () => resolve(answer.statusCode === 200))
        answer.once('error', () => resolve(false))
      },
    )
    question.once('error', () => resolve(false))
    question.end()
  })
}

/** dockerd waits for every socket that it finds: takes away one that a killed plugin left behind. */
export async function removeDeadSocket(socket: string, signal: AbortSignal): Promise<void> {
  const found = await stat(socket).catch(() => undefined)
  if (found?.isSocket() !== true || (await answersOn(socket, signal))) return
  await rm(socket, { force: true })
}
