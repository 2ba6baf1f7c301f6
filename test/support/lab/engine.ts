/**
 * Which Docker engines can a host of the lab run, and what does each need?
 *
 * 20.10 is Debian 12's own and runs on this computer's own /usr. Later ones come from later releases of
 * Debian: a root file system made once by mmdebstrap and kept under build/, with what a user of that
 * release would install for weave. So they also bring another Node.js, etcd and iptables:
 *
 *   26.1   Debian 13 (trixie)   Node.js 20, iptables on nf_tables
 *   28.5   Debian sid           the current LTS of Node.js
 */

import { createHash } from 'node:crypto'
import path from 'node:path'
import { kept } from './cache.ts'
import { explain, ok, run } from './command.ts'

export type EngineName = '20.10' | '26.1' | '28.5'

export interface Engine {
  readonly name: EngineName
  /** The root file system that has it; made on first use where it is not the computer's own. */
  readonly system: () => Promise<string>
  /** Whether it can share networks through a cluster store (`--cluster-store`, until 20.10). */
  readonly clusterStore: boolean
}

export const engines: Readonly<Record<EngineName, Engine>> = {
  '20.10': { name: '20.10', system: () => Promise.resolve('/'), clusterStore: true },
  '26.1': {
    name: '26.1',
    system: () => debianSystem({ engine: '26.1', release: 'trixie' }),
    clusterStore: false,
  },
  '28.5': {
    name: '28.5',
    system: () => debianSystem({ engine: '28.5', release: 'sid', aptOptions: staleIsFine }),
    clusterStore: false,
  },
}

interface DebianSystem {
  readonly engine: EngineName
  readonly release: string
  readonly aptOptions?: readonly string[]
}

/** Copies of sid that stand still, as snapshots do, are past their date. */
const staleIsFine: readonly string[] = ['Acquire::Check-Valid-Until "false"']

const packages: readonly string[] = [
  'docker.io',
  'docker-cli',
  'ca-certificates',
  'nodejs',
  'etcd-server',
  'iproute2',
  'iptables',
  'nftables',
  // What tests run beside it.
  'docker-compose',
  'procps',
  'busybox-static',
  'tcpdump',
  'iperf3',
]
const makingMs = 15 * 60_000

async function debianSystem({ engine, release, aptOptions = [] }: DebianSystem): Promise<string> {
  const words = [
    'mmdebstrap',
    '--variant=minbase',
    `--include=${packages.join(',')}`,
    ...aptOptions.map((option) => `--aptopt=${option}`),
    release,
  ]
  const key = createHash('sha256').update(words.join(' ')).digest('hex').slice(0, 12)
  return await kept(`root-${engine}-${key}`, async (draft) => {
    const root = path.join(draft, 'root')
    const outcome = await run([...words, root, await debianMirror()], { deadlineMs: makingMs })
    if (outcome.code === 0) return root
    throw new Error(`the system with Docker ${engine} could not be made: ${explain(outcome)}`)
  })
}

/** Where this computer gets its own Debian packages from; not security updates, whose place has only those. */
async function debianMirror(): Promise<string> {
  const format = '$(LABEL) $(REPO_URI)'
  const targets = ['apt-get', 'indextargets', '--format', format, 'Created-By: Packages']
  const uri = /^Debian (?<uri>\S+)$/m.exec(await ok(run(targets)))?.groups?.['uri']
  if (uri === undefined) {
    throw new Error('apt knows no Debian mirror on this computer: run "apt-get update" first')
  }
  return uri
}
