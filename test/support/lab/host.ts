/**
 * What can be done to one Docker host of the lab?
 */

import { appendFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Outcome, RunOptions } from './command.ts'
import { formatDocker, startDocker } from './docker.ts'
import type { DockerOptions } from './docker.ts'
import { engines } from './engine.ts'
import { boot, formatDisk } from './machine.ts'
import type { Machine, MachineOptions, Service } from './machine.ts'
import { addressOf, plugIn, setPort, switchIp, unplug } from './network.ts'

export interface Host {
  /** `host1`, which every host of the lab resolves to its address. */
  readonly name: string
  /** On the underlay: 10.99.0.1, …; also fd99::1, …. */
  readonly ip: string
  readonly ip6: string
  /** Process 1 of the host; another one after a crash. */
  readonly pid: number
  /** Runs a program (words) or a shell script (one string). */
  run(command: readonly string[] | string, options?: RunOptions): Promise<Outcome>
  docker(...args: readonly string[]): Promise<Outcome>
  weave(...args: readonly string[]): Promise<Outcome>
  /** Starts a program that goes on; its output is in /var/log/lab/NAME.log on the host. */
  start(name: string, command: readonly string[]): Promise<Service>
  /** A file of the host as seen from outside; sockets can be connected to, too. */
  path(inside: string): string

  /** Starts dockerd and waits until it answers. */
  startDocker(options?: { readonly flags?: readonly string[] }): Promise<void>
  /** As a shutdown would; containers end. */
  stopDocker(): Promise<void>
  /** SIGKILL for dockerd alone. */
  killDocker(): Promise<void>

  /** Cuts its cable at the switch without its noticing; `mend` joins it again. */
  cut(): Promise<void>
  mend(): Promise<void>
  /** Power cut: cable, processes and links at once. The disk stays. */
  crash(): Promise<void>
  /** Power comes back; Docker starts, nothing else does by itself. */
  boot(): Promise<void>
}

export interface HostOptions extends Omit<MachineOptions, 'name'> {
  readonly index: number
  readonly hub: Machine
  readonly docker: DockerOptions
}

/** A host's disk as delivered: names of its neighbours, Docker's images. */
export async function formatHost(
  disk: string,
  { hosts, engine }: { hosts: number; engine: DockerOptions['engine'] },
): Promise<void> {
  await formatDisk(disk, await engines[engine].system())
  const names = Array.from(
    { length: hosts },
    (_, index) => `${addressOf(index + 1).ip} host${index + 1}\n`,
  )
  await writeFile(
    path.join(disk, 'etc/hosts'),
    `127.0.0.1 localhost\n::1 localhost\n${names.join('')}`,
  )
  // Nobody listens there, and says so at once: an unknown name fails without a wait.
  await writeFile(path.join(disk, 'etc/resolv.conf'), `nameserver ${switchIp}\n`)
  await appendFile(path.join(disk, 'etc/hostname'), '')
  await formatDocker(disk, engine)
}

/** Switches a host on: machine and cable, not yet Docker. `onBoot` hears of every new machine. */
export async function createHost(
  options: HostOptions,
  onBoot: (machine: Machine) => Promise<void>,
): Promise<Host> {
  const { index, hub } = options
  const name = `host${index}`
  let machine = await switchOn()
  let dockerd: Service | undefined

  async function switchOn(): Promise<Machine> {
    const fresh = await boot({ ...options, name })
    await onBoot(fresh)
    await plugIn(hub, fresh, index)
    return fresh
  }

  const host: Host = {
    name,
    ...addressOf(index),
    get pid() {
      return machine.pid
    },
    run: async (command, given) => await machine.run(command, given),
    docker: async (...args) => await machine.run(['docker', ...args]),
    weave: async (...args) => await machine.run(['weave', ...args]),
    start: async (service, command) => await machine.start(service, command),
    path: (inside) => path.join(`/proc/${machine.pid}/root`, inside),

    startDocker: async ({ flags = [] } = {}) => {
      dockerd = await startDocker(machine, { ...options.docker, flags })
    },
    stopDocker: async () => await dockerd?.stop({ deadlineMs: 30_000 }),
    killDocker: async () => await dockerd?.kill(),

    cut: async () => await setPort(hub, index, 'down'),
    mend: async () => await setPort(hub, index, 'up'),
    crash: async () => {
      await unplug(hub, index)
      await machine.kill()
    },
    boot: async () => {
      machine = await switchOn()
      await host.startDocker()
    },
  }
  return host
}
