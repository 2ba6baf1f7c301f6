/**
 * Reads a request's body, within a size and a time.
 *
 * The trap: answering and closing while the sender is still writing makes the kernel reset the
 * connection, and the answer is lost with it. What is too long is therefore read on and thrown
 * away for a moment before it is refused.
 *
 * The other trap: JSON.parse takes any depth, JSON.stringify and everything else that descends ends
 * the stack. What is nested too deeply is refused here, so that nobody else has to think of it.
 */

import type { IncomingMessage } from 'node:http'
import { RequestError } from './request-error.ts'

export interface BodyLimits {
  readonly bodyBytes: number
  readonly bodyMs: number
}

/** No message of ours or of Docker's comes near. */
const maxLevels = 64
/** How long a sender of too much may go on before it is cut off. */
const discardMs = 1000

/**
 * Undefined for an empty body, whatever its declared type: only the method knows what that means.
 * @throws RequestError 400, with what is wrong with it.
 */
export function parseBody(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined
  const value = parseJson(bytes)
  if (isDeeper(value, maxLevels)) {
    throw new RequestError(400, `the body is nested more than ${maxLevels} levels deep`)
  }
  return value
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new RequestError(400, `the body is not JSON: ${messageOf(error)}`)
  }
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1))
}

/** @throws RequestError 408 when it came too slowly, 413 when too long, 400 when it broke off. */
export function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    let timer = setTimeout(fail, limits.bodyMs, 408, `not complete after ${limits.bodyMs} ms`)
    function fail(status: number, reason: string): void {
      clearTimeout(timer)
      reject(new RequestError(status, `the body is ${reason}`))
    }
    const tooLong = [413, `longer than ${limits.bodyBytes} bytes`] as const
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= limits.bodyBytes) chunks.push(chunk)
      else if (length - chunk.length <= limits.bodyBytes) {
        chunks.length = 0
        clearTimeout(timer)
        timer = setTimeout(fail, Math.min(discardMs, limits.bodyMs), ...tooLong)
      }
    })
    request.once('end', () => {
      clearTimeout(timer)
      if (length > limits.bodyBytes) fail(...tooLong)
      else resolve(Buffer.concat(chunks))
    })
    function breakOff(): void {
      if (!request.complete) fail(400, 'not complete: its sender went away')
    }
    request.once('error', breakOff)
    request.once('close', breakOff)
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
