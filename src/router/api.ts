/** What the router answers on its local socket: `RouterApi` put together from the parts. */

import type { RouterApi } from '../control/api.ts'
import type { ResetReply, Status } from '../control/messages.ts'
import { usedIn } from '../ipam/ledger.ts'
import type { EndpointId } from '../model/cluster.ts'
import { formatPrefix, parsePrefix } from '../model/prefix.ts'
import { questionOf } from '../naming/asked.ts'
import type { Addresses } from './addresses.ts'
import type { Attachments } from './attachment.ts'
import type { Facts } from './facts.ts'
import type { Names } from './names/names.ts'
import type { Networks } from './networks.ts'
import type { Spreading } from './spreading.ts'

export interface ApiSources {
  readonly facts: Facts
  readonly networks: Networks
  readonly attachments: Attachments
  readonly spreading: Pick<Spreading, 'putDriver' | 'admit'>
  readonly addresses: Addresses
  readonly names: Pick<Names, 'byHand' | 'lookup'>
  readonly mtuBytes: number
  /** Something that this host knows by itself has changed. */
  readonly onChange: () => void
  readonly status: () => Promise<Status>
  readonly stop: () => void
  readonly reset: () => Promise<ResetReply>
}

export function createApi(sources: ApiSources): RouterApi {
  const { facts, networks, attachments, mtuBytes, onChange, stop } = sources

  async function changing<T>(work: Promise<T>): Promise<T> {
    return await work.finally(onChange)
  }

  return {
    status: () => sources.status(),
    async putNetwork(id, spec) {
      const { vni, mtuBytes: asked } = await changing(networks.put(id, spec))
      return { id, vni, mtuBytes: Math.min(asked ?? mtuBytes, mtuBytes) }
    },
    async deleteNetwork(id) {
      const left = [...facts.endpoints.values()].filter(({ network }) => network === id)
      await Promise.all(left.map((endpoint) => attachments.remove(endpoint.id)))
      await changing(networks.remove(id))
    },
    async putEndpoint(id, spec, { signal }) {
      await sources.spreading.admit(spec.dockerNetwork, signal)
      return await changing(attachments.put(id, spec, signal))
    },
    joinEndpoint: (id, spec, { signal }) => changing(attachments.join(id, spec, signal)),
    leaveEndpoint: (id: EndpointId) => changing(attachments.leave(id)),
    deleteEndpoint: (id) => changing(attachments.remove(id)),
    putDriver: (name, { scope }) => sources.spreading.putDriver({ name, scope }),
    ...poolCalls(sources.addresses),
    ...nameCalls(sources.names),
    async removePeer(host) {
      const { silent, ...removed } = await sources.addresses.ipam.removePeer(host)
      return { ...removed, silent: [...silent] }
    },
    async stop() {
      stop()
    },
    async reset() {
      const reply = await sources.reset()
      stop()
      return reply
    },
  }
}

function nameCalls({
  byHand,
  lookup,
}: ApiSources['names']): Pick<RouterApi, 'addName' | 'removeNames' | 'lookup'> {
  return {
    addName: (spec, { signal }) => byHand.add(spec, signal),
    async removeNames(filter, { signal }) {
      return { removed: await byHand.remove(filter, signal) }
    },
    async lookup({ what }) {
      const found = lookup(questionOf(what))
      if (found.kind === 'addresses') return { found: found.addresses.toSorted() }
      return { found: found.kind === 'names' ? found.names.toSorted() : [] }
    },
  }
}

function poolCalls({
  book,
  ipam,
  ready,
}: Addresses): Pick<
  RouterApi,
  'holdings' | 'holdPool' | 'releasePool' | 'grantAddress' | 'releaseAddress'
> {
  return {
    async holdings() {
      const pools = book.all().map((ledger) => {
        const { pool, refs } = ledger
        return { id: pool.id, refs, used: usedIn(ledger) }
      })
      return { pools }
    },
    async holdPool({ space, family, subnet, range, length }, { signal }) {
      await ready(signal)
      const pool = await ipam.holdPool({
        space,
        family,
        length,
        subnet: subnet === undefined ? undefined : parsePrefix(subnet),
        range: range === undefined ? undefined : parsePrefix(range),
      })
      return { id: pool.id, subnet: formatPrefix(pool.subnet) }
    },
    releasePool: (id) => ipam.dropPool(id),
    async grantAddress(pool, { address, use }, { signal }) {
      await ready(signal)
      return { address: await ipam.grant({ pool, address, use }) }
    },
    releaseAddress: (pool, address) => ipam.release(pool, address),
  }
}
