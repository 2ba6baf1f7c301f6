/**
 * The long-lived programs of this host, and what each is called in the three ways of keeping it up.
 *
 *              router            plugin of driver `weave`   of another driver
 *   record     router            plugin-weave               plugin-NAME
 *   unit       weave.service     weave-plugin.service       weave-plugin@NAME.service
 *   container  weave             weaveplugin                weaveplugin-NAME
 *
 * The names are how a later command finds them again, so they never change.
 */

import path from 'node:path'
import { pathVariables, pluginPaths } from '../../settings/paths.ts'
import type { Paths } from '../../settings/paths.ts'
import { driverOf, pluginFlags } from '../../settings/plugin.ts'
import type { PluginSettings } from '../../settings/plugin.ts'
import type { Installation } from '../context.ts'

export interface Service {
  /** `router` or `plugin-DRIVER`: of its record, and what people read. */
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly container: string
  /** The whole command line on this host. */
  readonly argv: readonly string[]
  /** The same inside the image, where `weave` is on the PATH. */
  readonly argvInImage: readonly string[]
  readonly restart: 'always' | 'no'
  readonly env: Readonly<Record<string, string>>
  readonly pidFile: string
  /** Where it says why it ended. */
  readonly faultFile: string
  readonly logFile: string
  /** Directories that it shares with this host. */
  readonly directories: readonly string[]
  /** Whether it changes settings of the kernel's, which a container must be let do. */
  readonly changesKernel: boolean
  /** Whether it answers names within containers' network namespaces. */
  readonly entersContainers: boolean
  /** Units of ours that it wants to come after. */
  readonly after: readonly string[]
}

export const routerName = 'router'
const routerUnit = 'weave.service'

interface Where {
  readonly paths: Paths
  readonly installation: Installation
  readonly restart: 'always' | 'no'
}

export function routerService({ paths, installation, restart }: Where): Service {
  return {
    name: routerName,
    description: 'Weave router: one network for the containers of many Docker hosts',
    unit: routerUnit,
    container: 'weave',
    argv: installation.router,
    argvInImage: ['weave', 'router'],
    restart,
    env: pathVariables(paths),
    pidFile: paths.routerPidFile,
    faultFile: paths.routerFaultFile,
    logFile: paths.routerLogFile,
    directories: [paths.stateDir, paths.runDir, paths.logDir],
    changesKernel: true,
    entersContainers: true,
    after: [],
  }
}

export function pluginService(
  settings: PluginSettings,
  { paths, installation, restart }: Where,
): Service {
  const driver = driverOf(settings.socket)
  const files = pluginPaths(paths, driver)
  const isUsual = driver === 'weave'
  return {
    name: pluginName(settings.socket),
    description: `Weave plugin: Docker's network driver "${driver}"`,
    unit: isUsual ? 'weave-plugin.service' : `weave-plugin@${driver}.service`,
    container: isUsual ? 'weaveplugin' : `weaveplugin-${driver}`,
    argv: [...installation.plugin, ...pluginFlags(settings)],
    argvInImage: ['weave', 'plugin', ...pluginFlags(settings)],
    restart,
    env: pathVariables(paths),
    pidFile: files.pidFile,
    faultFile: files.faultFile,
    logFile: files.logFile,
    directories: [paths.stateDir, paths.runDir, paths.logDir, path.dirname(settings.socket)],
    changesKernel: false,
    entersContainers: false,
    after: [routerUnit],
  }
}

export function pluginName(socket: string): string {
  return `plugin-${driverOf(socket)}`
}
