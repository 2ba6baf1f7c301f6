/**
 * A crowd of endpoints on hosts that do not exist: what a big cluster looks like to one router.
 *
 * Written into the store under the schema, below a lease of their own, so that taking them away is one
 * call. The store listens on the lab's switch only, so this file is also the program that is run there:
 *
 *   node --import tsx crowd.ts ETCD PREFIX NETWORK COUNT      prints the lease
 */

import { createHash, randomUUID } from 'node:crypto'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { isEndpoint, isHost } from '../../src/model/cluster.ts'
import type { Endpoint, Host } from '../../src/model/cluster.ts'
import { version } from '../../src/model/version.ts'
import { createEtcdStore } from '../../src/store/etcd.ts'
import { endpoints, hosts } from '../../src/store/schema.ts'
import type { Write } from '../../src/store/store.ts'
import { ok } from '../../test/support/lab/lab.ts'
import type { Host as LabHost, Lab } from '../../test/support/lab/lab.ts'
import { repository } from '../../test/support/lab/places.ts'

export interface Crowd {
  /** Makes it this big, and waits until the tables of `host` hold all of it. */
  readonly grow: (count: number) => Promise<void>
  readonly disperse: () => Promise<void>
}

const hostCount = 10
const leaseSeconds = 3600
const writesAtOnce = 100
const completeMs = 60_000

export function createCrowd(lab: Lab, { network, host }: CrowdOptions): Crowd {
  let lease: string | undefined
  async function disperse(): Promise<void> {
    if (lease !== undefined) await lab.store.ctl('lease', 'revoke', lease)
    lease = undefined
    await untilTablesHold(host, { count: 0 })
  }
  return {
    disperse,
    async grow(count) {
      await disperse()
      const program = path.join(import.meta.dirname, 'crowd.ts')
      const node = [process.execPath, '--import', tsx, program]
      const what = [lab.store.address, await storePrefix(host), network, String(count)]
      lease = await ok(lab.hub.run([...node, ...what]))
      await untilTablesHold(host, { count })
    },
  }
}

interface CrowdOptions {
  readonly network: string
  /** The real host that has a container in this network. */
  readonly host: LabHost
}

/**
 * Waits until the tables hold `count` endpoints of other hosts, or at most that many for zero (the
 * lab's own containers are there, too). Resolves with the moment, as milliseconds since 1970.
 */
export async function untilTablesHold(
  host: LabHost,
  { count }: { readonly count: number },
): Promise<number> {
  const enough = count === 0 ? '-lt 100' : `-ge ${count}`
  const script = `
    while :; do
      tunnel=$(ip -o link show type vxlan | sed -n 's/^[0-9]*: \\(wvx[0-9a-f]*\\).*/\\1/p' | head -n 1)
      [ -n "$tunnel" ] || { sleep 0.01; continue; }
      bridge=wvb\${tunnel#wvx}
      [ "$(bridge fdb show dev "$tunnel" | grep -c ' dst ')" ${enough} ] &&
        [ "$(ip neighbour show dev "$bridge" nud permanent | wc -l)" ${enough} ] && break
      sleep 0.02
    done
    date +%s%3N`
  return Number(await ok(host.run(script, { deadlineMs: completeMs })))
}

async function storePrefix(host: LabHost): Promise<string> {
  const status: { store: { prefix: string } } = JSON.parse(
    await ok(host.weave('status', '-o', 'json')),
  )
  return status.store.prefix
}

const tsx = pathToFileURL(path.join(repository, 'node_modules/tsx/dist/loader.mjs')).href

/** The program. */
async function publish([
  etcd = '',
  prefix = '',
  network = '',
  count = '0',
]: readonly string[]): Promise<void> {
  await using store = createEtcdStore({ endpoints: [etcd], prefix, timeoutMs: 10_000 })
  const lease = await store.grantLease(leaseSeconds)
  const writes: Write[] = [
    ...Array.from({ length: hostCount }, (_, at) => imaginaryHost(at)).map((host): Write => ({
      kind: 'put',
      key: hosts.key(host.id),
      text: hosts.encode(host),
      lease,
    })),
    ...Array.from({ length: Number(count) }, (_, at) => imaginaryEndpoint(network, at)).map(
      (one): Write => ({
        kind: 'put',
        key: endpoints.key({ network: one.network, host: one.host, endpoint: one.id }),
        text: endpoints.encode(one),
        lease,
      }),
    ),
  ]
  for (let at = 0; at < writes.length; at += writesAtOnce) {
    await store.commit(writes.slice(at, at + writesAtOnce))
  }
  console.log(lease.toString(16))
}

function imaginaryHost(at: number): Host {
  const host: unknown = {
    id: `crowd-${at}`,
    nickname: `crowd-${at}`,
    address: `10.99.0.${100 + at}`,
    controlPort: 6783,
    dataPort: 6784,
    instance: randomUUID(),
    version,
  }
  if (!isHost(host)) throw new Error('not a host any more: the schema has changed')
  return host
}

function imaginaryEndpoint(network: string, at: number): Endpoint {
  const [high, low] = [at >> 8, at & 255]
  const endpoint: unknown = {
    id: createHash('sha256').update(`crowd ${at}`).digest('hex'),
    network,
    host: `crowd-${at % hostCount}`,
    mac: `02:c0:0d:00:${hex(high)}:${hex(low)}`,
    addresses: [`10.200.${high}.${low}`],
  }
  if (!isEndpoint(endpoint)) throw new Error('not an endpoint any more: the schema has changed')
  return endpoint
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

if (process.argv[1] === import.meta.filename) await publish(process.argv.slice(2))
