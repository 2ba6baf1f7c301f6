/**
 * Keeps a program up as a container with Docker's own restart policy.
 *
 * The image comes from no registry: the installation leaves a root filesystem, which is imported the
 * first time, and again when a new build replaced it (`works.weave.build` tells).
 *
 * Names may be taken, for instance by the Weave Net of old. A container counts as ours only by its
 * label, and only ours are ever removed.
 */

import { mkdir, stat } from 'node:fs/promises'
import { containerNameTaken, runModeUnavailable } from '../../model/faults.ts'
import { dockerEngineSocket, kernelSettingsMount } from '../../settings/paths.ts'
import { mustRun } from '../program.ts'
import type { RunProgram } from '../program.ts'
import type { Keeper } from './keeper.ts'
import type { Service } from './service.ts'

interface ContainerOptions {
  readonly run: RunProgram
  readonly version: string
  readonly imageTar: string
  /** The engine's socket on this host. */
  readonly engineSocket?: string
}

const label = 'works.weave.service'
const buildLabel = 'works.weave.build'
const askTimeoutMs = 5000
const changeTimeoutMs = 60_000
const importTimeoutMs = 180_000
/** Grace before SIGKILL: the router stops its store in this time. */
const stopSeconds = 20

export function createContainerKeeper(options: ContainerOptions): Keeper {
  const { run, version, imageTar, engineSocket = dockerEngineSocket } = options
  const docker = createDocker(run)
  const image = `weave:${version}`
  return {
    mode: 'container',
    obstacle: (signal) => findObstacle({ docker, image, imageTar, signal }),
    async start(service, signal) {
      await refuseForeign(docker, { name: service.container, signal })
      await ensureImage({ docker, image, imageTar, signal })
      await docker.ask(['rm', '--force', service.container], signal)
      for (const directory of service.directories)
        await mkdir(directory, { recursive: true, mode: 0o700 })
      await docker.change(containerArguments(service, { image, engineSocket }), signal)
      return { service: service.name, runAs: 'container', target: service.container }
    },
    async isUp({ target }, signal) {
      const found = await inspect(docker, { name: target, signal })
      return found !== undefined && found.isOurs && found.isUp
    },
    async stop({ target }, signal) {
      const found = await inspect(docker, { name: target, signal })
      if (found === undefined || !found.isOurs) return
      await docker.change(['stop', `--time=${stopSeconds}`, target], signal)
      await docker.change(['rm', '--force', target], signal)
    },
    async letGo({ target }, signal) {
      const found = await inspect(docker, { name: target, signal })
      if (found?.isOurs === true) await docker.change(['update', '--restart=no', target], signal)
    },
    async remove(_handle, signal) {
      const gone = await docker.ask(['image', 'rm', image], signal)
      return gone === undefined ? [] : [`image ${image}`]
    },
    logOf: ({ container }) => `docker logs ${container}`,
  }
}

/**
 * Names are answered within the containers' network namespaces: setns(2) needs SYS_ADMIN. Their files
 * are found beside the host's first process, which takes its view of processes, the right to look at
 * them, and no AppArmor profile that forbids it.
 */
const containersEntry = [
  '--cap-add=SYS_ADMIN',
  '--cap-add=SYS_PTRACE',
  '--pid=host',
  '--security-opt=apparmor=unconfined',
]

/** Arguments of `docker` that start the service. */
export function containerArguments(
  service: Service,
  { image, engineSocket }: { readonly image: string; readonly engineSocket: string },
): string[] {
  const { source, target } = kernelSettingsMount
  const mounts = [
    ...[...new Set(service.directories)].map((directory) => `${directory}:${directory}`),
    ...(service.changesKernel ? [`${source}:${target}`] : []),
  ]
  return [
    'run',
    '--detach',
    `--name=${service.container}`,
    `--label=${label}=${service.name}`,
    `--restart=${service.restart}`,
    '--net=host',
    // Links, tables and filters need the first, legacy iptables the second.
    '--cap-add=NET_ADMIN',
    '--cap-add=NET_RAW',
    ...(service.entersContainers ? containersEntry : []),
    ...mounts.map((mount) => `--volume=${mount}`),
    `--volume=${engineSocket}:${dockerEngineSocket}`,
    ...Object.entries(service.env).map(([name, value]) => `--env=${name}=${value}`),
    image,
    ...service.argvInImage,
  ]
}

interface Docker {
  /** Its output, or undefined when it failed or there is no Docker. */
  readonly ask: (args: readonly string[], signal: AbortSignal) => Promise<string | undefined>
  /** Its output; a failure is a fault. */
  readonly change: (args: readonly string[], signal: AbortSignal) => Promise<string>
}

function createDocker(run: RunProgram): Docker {
  return {
    async ask(args, signal) {
      const { exit, stdout } = await run(['docker', ...args], { timeoutMs: askTimeoutMs, signal })
      return exit === 0 ? stdout.trim() : undefined
    },
    change(args, signal) {
      const timeoutMs = args[0] === 'import' ? importTimeoutMs : changeTimeoutMs
      return mustRun(run, ['docker', ...args], { timeoutMs, signal })
    },
  }
}

interface Image {
  readonly docker: Docker
  readonly image: string
  readonly imageTar: string
  readonly signal: AbortSignal
}

async function findObstacle({
  docker,
  image,
  imageTar,
  signal,
}: Image): Promise<string | undefined> {
  const version = await docker.ask(['version', '--format={{.Server.Version}}'], signal)
  if (version === undefined) return 'no Docker engine answers'
  if ((await buildOf(imageTar)) !== undefined) return undefined
  const present = await docker.ask(['image', 'inspect', '--format={{.Id}}', image], signal)
  return present === undefined ? `there is neither an image ${image} nor ${imageTar}` : undefined
}

/** Without the tar (cleaned up, or another machine's image) the image at hand is good enough. */
async function ensureImage({ docker, image, imageTar, signal }: Image): Promise<void> {
  const format = `--format={{index .Config.Labels "${buildLabel}"}}`
  const present = await docker.ask(['image', 'inspect', format, image], signal)
  const build = await buildOf(imageTar)
  if (present !== undefined && (build === undefined || build === present)) return
  if (build === undefined) throw runModeUnavailable('container', `there is no ${imageTar}`)
  const changes = [
    'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'CMD ["weave","router"]',
    `LABEL ${buildLabel}=${build}`,
  ]
  const flags = changes.map((change) => `--change=${change}`)
  await docker.change(['import', ...flags, imageTar, image], signal)
}

async function buildOf(imageTar: string): Promise<string | undefined> {
  const found = await stat(imageTar).catch(() => undefined)
  return found === undefined ? undefined : `${found.size}-${Math.trunc(found.mtimeMs)}`
}

interface Found {
  readonly isOurs: boolean
  readonly isUp: boolean
  readonly image: string
}

interface Named {
  readonly name: string
  readonly signal: AbortSignal
}

async function inspect(docker: Docker, { name, signal }: Named): Promise<Found | undefined> {
  const format = `--format={{index .Config.Labels "${label}"}}|{{.State.Status}}|{{.Config.Image}}`
  const text = await docker.ask(['container', 'inspect', format, name], signal)
  if (text === undefined) return undefined
  const [service = '', state = '', image = ''] = text.split('|')
  return {
    isOurs: service !== '' && service !== '<no value>',
    isUp: ['running', 'restarting'].includes(state),
    image,
  }
}

async function refuseForeign(docker: Docker, named: Named): Promise<void> {
  const found = await inspect(docker, named)
  if (found !== undefined && !found.isOurs) throw containerNameTaken(named.name, found.image)
}
