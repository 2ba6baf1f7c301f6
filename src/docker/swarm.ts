/**
 * What the managers of a swarm hold in common: its nodes, and small texts under unique names.
 *
 * Such a text (a config, in Docker's words) is written through the managers' own consensus: of several
 * that create the same name at the same moment one succeeds, and none while there is no quorum. That
 * makes it an arbiter among hosts that have no other yet.
 */

import { z } from 'zod'
import type { Answer, Question } from '../http/client.ts'
import { engineUnreachable } from '../model/faults.ts'

export interface SwarmText {
  /** Another one each time the name is created: removing by it never removes a successor. */
  readonly id: string
  readonly text: string
}

export interface SwarmApi {
  readonly find: (name: string, signal: AbortSignal) => Promise<SwarmText | undefined>
  /** False when there is one of this name. */
  readonly create: (name: string, text: string, signal: AbortSignal) => Promise<boolean>
  /** Gone is what was wanted. */
  readonly remove: (id: string, signal: AbortSignal) => Promise<void>
  /** All nodes that the swarm counts as its own, those that are down among them. */
  readonly nodes: (signal: AbortSignal) => Promise<readonly SwarmNode[]>
}

export interface SwarmNode {
  readonly id: string
  /** Empty, or no address of an interface, for some of an older engine's. */
  readonly address: string
}

const configs = z.array(
  z.object({ ID: z.string(), Spec: z.object({ Name: z.string(), Data: z.string().nullish() }) }),
)
const nodes = z.array(
  z.object({ ID: z.string(), Status: z.object({ Addr: z.string().nullish() }).nullish() }),
)

export function createSwarmApi(
  ask: (question: Question) => Promise<Answer>,
  socket: string,
): SwarmApi {
  async function expect(question: Question, ...good: readonly number[]): Promise<Answer> {
    const answer = await ask(question)
    if (good.includes(answer.status)) return answer
    throw engineUnreachable(socket, `HTTP status ${answer.status}: ${answer.text.trim()}`)
  }
  return {
    async find(name, signal) {
      const filters = encodeURIComponent(JSON.stringify({ name: [name] }))
      const path = `/configs?filters=${filters}`
      const { text } = await expect({ method: 'GET', path, signal }, 200)
      const found = configs.parse(JSON.parse(text)).find(({ Spec }) => Spec.Name === name)
      if (found === undefined) return undefined
      return { id: found.ID, text: Buffer.from(found.Spec.Data ?? '', 'base64').toString() }
    },
    async create(name, text, signal) {
      const body = { Name: name, Data: Buffer.from(text).toString('base64') }
      const question = { method: 'POST', path: '/configs/create', body, signal } as const
      return (await expect(question, 200, 201, 409)).status !== 409
    },
    async remove(id, signal) {
      const path = `/configs/${encodeURIComponent(id)}`
      await expect({ method: 'DELETE', path, signal }, 200, 204, 404)
    },
    async nodes(signal) {
      const { text } = await expect({ method: 'GET', path: '/nodes', signal }, 200)
      return nodes
        .parse(JSON.parse(text))
        .map(({ ID, Status }) => ({ id: ID, address: Status?.Addr ?? '' }))
    },
  }
}
