/**
 * What a plugin instance is told when it is started, and the flags that say it.
 *
 * The socket names the driver: dockerd finds `/run/docker/plugins/NAME.sock` when somebody asks for
 * `--driver=NAME`. A base name that Docker could not use as a driver, or that is one of its own, is
 * therefore refused here rather than met as "plugin not found" later.
 */

import path from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { isDriverName } from '../model/definition.ts'
import { badArgument } from '../model/faults.ts'
import { given, logLevels, oneOf, readLogLevel } from './flags.ts'
import type { Flags } from './flags.ts'
import { dockerPluginSocketsDir } from './paths.ts'

export const pluginScopes = ['auto', 'global', 'local'] as const
export type PluginScope = (typeof pluginScopes)[number]

export const pluginSettings = z.strictObject({
  /** Absolute path; its base name without `.sock` is the driver's name. */
  socket: z.string().refine((text) => socketProblem(text) === undefined, 'not a plugin socket'),
  logLevel: z.enum(logLevels),
  scope: z.enum(pluginScopes),
})

export type PluginSettings = z.infer<typeof pluginSettings>

export const defaultPluginSocket = path.join(dockerPluginSocketsDir, 'weave.sock')

/** Drivers that Docker has built in; a plugin of that name would never be asked. */
const builtIn = ['bridge', 'default', 'host', 'ipvlan', 'macvlan', 'none', 'null', 'overlay']
/** `sun_path` has 108 bytes, the last of which is zero (unix(7)). */
const maxSocketBytes = 107

export function addPluginOptions(command: Command): Command {
  return command
    .option(
      '--socket <path>',
      `where dockerd finds the plugin; the base name is the driver's name (default: ${defaultPluginSocket})`,
    )
    .option('--log-level <level>', `${logLevels.join(', ')} (default: info)`)
    .option('--scope <scope>', `${pluginScopes.join(', ')} (default: auto, as the engine needs it)`)
}

/** Throws a fault that names the flag, its value and what would be right. */
export function readPluginOptions(options: Flags): PluginSettings {
  return {
    socket: given(options, 'socket', readPluginSocket) ?? defaultPluginSocket,
    logLevel: given(options, 'logLevel', readLogLevel) ?? 'info',
    scope: given(options, 'scope', (text) => oneOf('--scope', text, pluginScopes)) ?? 'auto',
  }
}

/** Inverse of `readPluginOptions`. */
export function pluginFlags({ socket, logLevel, scope }: PluginSettings): string[] {
  return [`--socket=${socket}`, `--log-level=${logLevel}`, `--scope=${scope}`]
}

/** The driver's name, as in `docker network create --driver=NAME`. */
export function driverOf(socket: string): string {
  return path.basename(socket, '.sock')
}

export function readPluginSocket(text: string): string {
  const problem = socketProblem(text)
  if (problem !== undefined) throw badArgument('--socket', text, problem)
  return path.normalize(text)
}

function socketProblem(text: string): string | undefined {
  const driver = driverOf(text)
  const name = isDriverName(driver) ? driver : 'weave'
  if (!path.isAbsolute(text)) {
    return `Give the whole path: ${path.join(dockerPluginSocketsDir, `${name}.sock`)}`
  }
  if (!text.endsWith('.sock')) {
    return `dockerd looks for names that end in ".sock": ${path.join(path.dirname(text), `${name}.sock`)}`
  }
  if (!isDriverName(driver)) {
    return 'The base name becomes the driver\'s name: letters, digits, "_", "." and "-", up to 63.'
  }
  if (builtIn.includes(driver.toLowerCase())) {
    return `"${driver}" is a driver of Docker's own. Use another base name, such as weave.sock.`
  }
  const bytes = Buffer.byteLength(text)
  return bytes > maxSocketBytes
    ? `A socket's path has at most ${maxSocketBytes} bytes; this one has ${bytes}.`
    : undefined
}
