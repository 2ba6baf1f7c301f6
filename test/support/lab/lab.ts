/**
 * The lab: several Docker hosts on this computer, each with a real Docker engine of its own.
 *
 *   await using lab = await createLab({ hosts: 2, engine: '20.10', store: 'etcd-as-docker-cluster-store' })
 *   const [host1, host2] = [lab.host(1), lab.host(2)]
 *   await ok(host1.weave('launch'))                  // ok() = must succeed; gives trimmed stdout
 *   const { code, stderr } = await host2.docker('run', '--net=none', 'busybox', 'true')
 *   await host2.crash()                              // power cut …
 *   await host2.boot()                               // … and back, with the same disk
 *
 * A host is a set of namespaces (network, mount, UTS, IPC, PID): host name, /etc, /var, /run, processes and links of its own,
 * this computer's /usr, and the repository, read-only. `weave` is on its PATH when `script/install --prefix=build/prefix` has
 * run. Images: busybox, ubuntu (a stand-in), tools (iperf3, node); see images.ts. Hosts know each other as host1, host2, …
 * (10.99.0.1, …). `host.path('/run/x.sock')` reaches into a host from a test.
 *
 * Needs root, and what `script/test` installs. Nothing of it is in this computer's own network or
 * mount namespace. It dies with this process, even by SIGKILL, unless `lifetime` is 'detached';
 * then `removeLab(lab.directory)` ends it. Disposal ends everything by process ID and throws when something is left over.
 *
 * No test framework in here: the demo and the benchmarks use it, too.
 */

import { mkdir, mkdtemp } from 'node:fs/promises'
import path from 'node:path'
import { prepareEngine } from './docker.ts'
import { engines } from './engine.ts'
import type { EngineName } from './engine.ts'
import { createHost, formatHost } from './host.ts'
import type { Host } from './host.ts'
import { boot, formatDisk } from './machine.ts'
import type { Machine, MachineOptions } from './machine.ts'
import { layBridge, switchIp } from './network.ts'
import { exists, labsDirectory, productPrefix, repository } from './places.ts'
import { createRecord, removeLab, sweep } from './record.ts'
import type { LabRecord } from './record.ts'
import { createStore } from './store.ts'
import type { LabStore } from './store.ts'

export { ok } from './command.ts'
export type { Outcome } from './command.ts'
export type { Host } from './host.ts'
export { removeLab } from './record.ts'
export { until } from './remains.ts'

export interface LabOptions {
  readonly hosts: 1 | 2 | 3
  /** One for all of them, or one for each. */
  readonly engine: EngineName | readonly EngineName[]
  /** Whether the engines share networks through an etcd, which then runs on the switch. */
  readonly store: 'etcd-as-docker-cluster-store' | 'none'
  readonly lifetime?: 'process' | 'detached'
  /** Where the weave to be tried was installed. */
  readonly prefix?: string
  /** Whether dockerd is started on every host; yes unless told. */
  readonly docker?: 'started' | 'stopped'
}

export interface Lab extends AsyncDisposable {
  readonly hosts: readonly Host[]
  /** Counted from 1, as in its name. */
  host(number: 1 | 2 | 3): Host
  /** Where its disks are. */
  readonly directory: string
  /** The etcd on the switch; running only when `store` asked for it. */
  readonly store: LabStore
  /** The machine in the middle: for tcpdump and the like. */
  readonly hub: Machine
}

export async function createLab(options: LabOptions): Promise<Lab> {
  await sweep()
  const { lifetime = 'process' } = options
  await mkdir(labsDirectory, { recursive: true })
  const directory = await mkdtemp(path.join(labsDirectory, 'lab-'))
  const record = createRecord(directory, lifetime)
  try {
    return await build(options, record)
  } catch (error) {
    await removeLab(directory)
    throw error
  }
}

async function build(options: LabOptions, record: LabRecord): Promise<Lab> {
  const { lifetime = 'process', prefix = productPrefix, docker = 'started' } = options
  const { directory, cgroup } = record
  const engineNames = Array.from({ length: options.hosts }, (_, place) => engineOf(options, place))
  for (const name of new Set(engineNames)) await prepareEngine(name)
  const common = {
    lifetime,
    shared: await sharedPaths(prefix),
    programs: [path.join(prefix, 'bin')],
  }
  await record.save()

  const hub = await createHub({ ...common, disk: path.join(directory, 'switch') }, record)
  const store = createStore(hub, switchIp)
  const storeIsWanted = options.store !== 'none'
  const [hosts] = await Promise.all([
    Promise.all(
      engineNames.map(async (engineName, place) => {
        const index = place + 1
        const disk = path.join(directory, `host${index}`)
        await formatHost(disk, { hosts: options.hosts, engine: engineName })
        const engine = { engine: engineName, cgroup: `${cgroup}/host${index}` }
        const clusterStore = storeIsWanted ? store.address : undefined
        const settings = {
          ...common,
          disk,
          system: await engines[engineName].system(),
          index,
          hub,
          docker: { ...engine, clusterStore },
        }
        return await createHost(settings, (machine) => record.add(machine))
      }),
    ),
    storeIsWanted ? store.start() : undefined,
  ])
  if (docker === 'started') await Promise.all(hosts.map((host) => host.startDocker()))
  return {
    hosts,
    host: (number) => {
      const found = hosts[number - 1]
      if (found === undefined) throw new Error(`this lab has only ${hosts.length} hosts`)
      return found
    },
    directory,
    store,
    hub,
    [Symbol.asyncDispose]: async () => await removeLab(directory),
  }
}

function engineOf({ engine, hosts }: LabOptions, place: number): EngineName {
  const name = typeof engine === 'string' ? engine : engine[place]
  if (name === undefined) throw new Error(`an engine for each of ${hosts} hosts, please`)
  return name
}

async function createHub(
  options: Omit<MachineOptions, 'name' | 'system'>,
  record: LabRecord,
): Promise<Machine> {
  await formatDisk(options.disk, '/')
  const hub = await boot({ ...options, name: 'switch', system: '/' })
  await record.add(hub)
  await layBridge(hub)
  return hub
}

/** The repository, the installed weave, and Node with its libraries where they are not in /usr, which has its own. */
async function sharedPaths(prefix: string): Promise<string[]> {
  const node = path.dirname(path.dirname(process.execPath))
  const wanted = [
    repository,
    ...(prefix.startsWith(repository) ? [] : [prefix]),
    ...(node === '/usr' ? [] : [node]),
  ]
  const present = await Promise.all(
    wanted.map(async (place) => ((await exists(place)) ? [place] : [])),
  )
  return present.flat()
}
