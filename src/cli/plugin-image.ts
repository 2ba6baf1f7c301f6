/**
 * `weave plugin-image`: makes Docker's managed plugin from this installation, without a registry.
 *
 * Docker upgrades a plugin only from a registry. Here an older one of the name is replaced instead:
 * its settings are carried over, its state lies outside of it, the kernel forwards meanwhile, and a
 * stand-in keeps this host alive in the eyes of the others.
 */

import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Command } from 'commander'
import type { Status } from '../control/messages.ts'
import { alreadyRunning, badArgument, imageMissing, pluginNameTaken } from '../model/faults.ts'
import type { Flags } from '../settings/flags.ts'
import { managedVariables } from '../settings/managed.ts'
import type { Context } from './context.ts'
import { requireRoot } from './context.ts'
import { pluginConfig, pluginDescription } from './plugin-image/config.ts'
import { createDockerPlugin } from './plugin-image/docker-plugin.ts'
import type { DockerPlugin, FoundPlugin } from './plugin-image/docker-plugin.ts'
import { mayStandIn, standInOn, startStandIn } from './plugin-image/stand-in.ts'
import { mustRun, runProgram } from './program.ts'
import type { RunProgram } from './program.ts'
import { openRouter, statusIfRunning } from './running.ts'

const usualName = 'weave:latest'
const settable = new Set(managedVariables.map(({ name }) => name))
const unpackMs = 120_000
/** As Docker refers to images and plugins: host and path in lower case, then a tag. */
const reference = /^(?:[\w.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-][a-z0-9]+)*(?::[\w][\w.-]{0,127})?$/

export function configure(command: Command, context: Context): void {
  command
    .argument('[name]', `what the plugin is called, the same on every node (default: ${usualName})`)
    .option('--no-enable', 'only create it, for "docker plugin set" before "docker plugin enable"')
    .addHelpText(
      'after',
      `
Examples:
  weave plugin-image
  docker network create --driver=weave:latest --attachable NETWORK`,
    )
    .action((name: string | undefined, options: Flags) =>
      makePlugin(
        { name: readName(name ?? usualName), isEnabled: options['enable'] !== false },
        { ...context, run: runProgram },
      ),
    )
}

export interface PluginImage {
  readonly name: string
  readonly isEnabled: boolean
}

export async function makePlugin(
  { name, isEnabled }: PluginImage,
  context: Context & { readonly run: RunProgram },
): Promise<void> {
  const { installation, run, signal, print, progress } = context
  requireRoot(context, 'weave plugin-image')
  const router = await findRouter(context)
  const docker = createDockerPlugin(run, signal)
  const before = await docker.inspect(name)
  if (before !== undefined && before.description !== pluginDescription) throw pluginNameTaken(name)
  progress(`unpacking ${installation.imageTar}`)
  const directory = await mkdtemp(path.join(tmpdir(), 'weave-plugin-'))
  try {
    await layOut(directory, context)
    progress(`making plugin ${name}`)
    const isRunning = before?.isEnabled === true
    if (isRunning) await docker.disable(name)
    const endStandIn =
      isRunning && mayStandIn(router?.store.kind)
        ? startStandIn(standInOn(path.join(directory, 'rootfs')))
        : undefined
    try {
      await replace(name, { docker, before, directory })
    } finally {
      await endStandIn?.()
    }
    if (isEnabled) await docker.enable(name)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  progress('')
  const done = before === undefined ? 'made' : 'replaced; settings and state are kept'
  print(`weave: plugin ${name} ${done} (weave ${installation.version})`)
  if (!isEnabled) print(`weave: it is not enabled yet: docker plugin enable ${name}`)
}

/** The one that runs in a plugin. Of two on one host each would undo the other's links. */
async function findRouter(context: Context): Promise<Status | undefined> {
  using router = openRouter(context)
  const status = await statusIfRunning(router, context.signal)
  if (status === undefined || status.host.runAs === 'plugin') return status
  throw alreadyRunning(status.host.runAs)
}

/** The directory that `docker plugin create` takes. */
async function layOut(
  directory: string,
  { installation, run, signal }: Context & { readonly run: RunProgram },
): Promise<void> {
  const { imageTar } = installation
  const isThere = await stat(imageTar).then(
    () => true,
    () => false,
  )
  if (!isThere) throw imageMissing(imageTar)
  const rootfs = path.join(directory, 'rootfs')
  await mkdir(rootfs)
  const unpack = ['tar', '--numeric-owner', '-C', rootfs, '-xf', imageTar]
  await mustRun(run, unpack, { timeoutMs: unpackMs, signal })
  await writeFile(path.join(directory, 'config.json'), JSON.stringify(pluginConfig(), null, 2))
}

async function replace(
  name: string,
  {
    docker,
    before,
    directory,
  }: {
    readonly docker: DockerPlugin
    readonly before: FoundPlugin | undefined
    readonly directory: string
  },
): Promise<void> {
  if (before !== undefined) await docker.remove(name)
  await docker.create(name, directory)
  await docker.set(name, carriedOver(before?.settings ?? []))
}

/** Only what was set, and what may be. */
function carriedOver(settings: readonly string[]): readonly string[] {
  return settings.filter((setting) => {
    const [name = '', ...value] = setting.split('=')
    return settable.has(name) && value.join('=') !== ''
  })
}

function readName(text: string): string {
  if (!reference.test(text)) {
    throw badArgument('name', text, `Use lower-case letters and digits, as in ${usualName}.`)
  }
  return /:[^/]+$/.test(text) ? text : `${text}:latest`
}
