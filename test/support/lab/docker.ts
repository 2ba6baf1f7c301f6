/**
 * How does a lab host's dockerd start, and when is it ready?
 *
 * Its data directory begins as a copy of one that holds the lab's images already; that one is made on first
 * use, by the same engine, and kept under build/.
 */

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { kept } from './cache.ts'
import { explain, ok, run } from './command.ts'
import { engines } from './engine.ts'
import type { EngineName } from './engine.ts'
import { images, imagesKey, layOut } from './images.ts'
import { boot, formatDisk } from './machine.ts'
import type { Machine, Service } from './machine.ts'
import { removeCgroup, until } from './remains.ts'

export interface DockerOptions {
  readonly engine: EngineName
  /** Parent of its containers' control groups. */
  readonly cgroup: string
  /** `IP:PORT` of the etcd that is its cluster store, if any. */
  readonly clusterStore?: string | undefined
  /** More words for dockerd's command line. */
  readonly flags?: readonly string[]
}

const readyMs = 60_000

/** Starts dockerd and waits until it answers. */
export async function startDocker(machine: Machine, options: DockerOptions): Promise<Service> {
  const { engine, cgroup, clusterStore, flags = [] } = options
  const joined = clusterStore !== undefined && engines[engine].clusterStore
  const store = joined
    ? [`--cluster-store=etcd://${clusterStore}`, '--cluster-advertise=eth0:2376']
    : []
  const command = [
    'dockerd',
    `--cgroup-parent=/${cgroup}`,
    ...(await storageFlags(machine)),
    ...store,
    ...flags,
  ]
  const service = await machine.start('dockerd', command)
  const isReady = await until(
    async () => (await machine.run(['docker', 'version'])).code === 0,
    readyMs,
  )
  if (!isReady) {
    const log = await machine.run('tail -20 /var/log/lab/dockerd.log')
    throw new Error(`dockerd on ${machine.name} does not answer: ${explain(log)}`)
  }
  return service
}

/** Makes what hosts with this engine start from, unless it is there already. */
export async function prepareEngine(engine: EngineName): Promise<void> {
  await dataTemplate(engine)
}

/** Gives a new disk a Docker data directory that knows the lab's images. */
export async function formatDocker(disk: string, engine: EngineName): Promise<void> {
  const template = await dataTemplate(engine)
  await ok(run(['cp', '-a', '--reflink=auto', template, path.join(disk, 'var/lib/docker')]))
}

async function dataTemplate(engine: EngineName): Promise<string> {
  const system = await engines[engine].system()
  return await kept(`docker-${engine}-${await imagesKey()}`, async (draft) => {
    const disk = path.join(draft, 'disk')
    await mkdir(disk)
    await formatDisk(disk, system)
    const cgroup = `lab-template-${process.pid}`
    const machine = await boot({
      name: 'template',
      disk,
      system,
      shared: [],
      programs: [],
      lifetime: 'process',
    })
    try {
      const dockerd = await startDocker(machine, { engine, cgroup })
      for (const image of images) {
        await layOut(image, path.join(disk, 'root', image.name))
        const change = `CMD ["${image.command}"]`
        const load = 'tar -C "/root/$1" -c . | docker import --change "$2" - "$1"'
        await ok(machine.run(['sh', '-c', load, 'load', image.name, change]))
      }
      await dockerd.stop()
      // Who an engine is must not be copied.
      await ok(machine.run('rm -rf /var/lib/docker/engine-id /var/lib/docker/network'))
    } finally {
      await machine.kill()
      await removeCgroup(cgroup)
    }
    return path.join(disk, 'var/lib/docker')
  })
}

/** overlay2 cannot stand on an overlay, as in a container: there plain copies must do. */
async function storageFlags(machine: Machine): Promise<string[]> {
  const kind = await ok(machine.run(['stat', '-f', '-c', '%T', '/var/lib']))
  return kind === 'overlayfs' ? ['--storage-driver=vfs'] : ['--storage-driver=overlay2']
}
