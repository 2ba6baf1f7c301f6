/**
 * Where on this host everything of ours lies.
 *
 * Three directories with three lifetimes: state survives a reboot, run does not, logs may be cut at
 * any time. Each can be moved by an environment variable, so that several routers can be tried on
 * one machine; whoever starts a process of ours hands the variables on (`pathVariables`).
 *
 * Invariant: no other file of the project spells one of these paths.
 */

import path from 'node:path'

export interface Paths {
  readonly stateDir: string
  readonly identityFile: string
  readonly settingsFile: string
  readonly networksDir: string
  readonly endpointsDir: string
  /** Names that were added by hand on this host, a file each. */
  readonly namesDir: string
  /** Which addresses this host may hand out, and which it has: a file for each pool. */
  readonly ipamDir: string
  /** What this host's engine has of the cluster's definitions, a file each. */
  readonly adoptedDir: string
  /** Drivers that serve Docker on this host, a file each. */
  readonly driversDir: string
  /** Data of the managed etcd. */
  readonly storeDir: string
  readonly pluginsDir: string
  /** Where broken state files are put, never deleted. */
  readonly asideDir: string
  /** One small record per process that we keep up: how it was started. */
  readonly startedDir: string
  readonly runDir: string
  readonly routerSocket: string
  readonly routerPidFile: string
  /** The fault that ended the router last, as JSON; absent after a good start. */
  readonly routerFaultFile: string
  readonly logDir: string
  readonly routerLogFile: string
}

/** The files of one plugin instance, by driver name. */
export interface PluginPaths {
  readonly stateFile: string
  readonly pidFile: string
  /** As `routerFaultFile`. */
  readonly faultFile: string
  readonly logFile: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The variables that move a directory, and where it is without them. */
export const directoryVariables = {
  WEAVE_STATE_DIR: '/var/lib/weave',
  WEAVE_RUN_DIR: '/run/weave',
  WEAVE_LOG_DIR: '/var/log/weave',
} as const

/** Where dockerd looks for the sockets of plugins. */
export const dockerPluginSocketsDir = '/run/docker/plugins'
export const dockerEngineSocket = '/var/run/docker.sock'

/** Settings of the kernel's, which every kernel has, and where our containers may write to them. */
export const kernelSettingsMount = { source: '/proc/sys/net', target: '/host/sys-net' }
/** Those of IPv6, a directory for each link, which not every kernel has: where to look, best first. */
export const ipv6SettingsDirs = [kernelSettingsMount.target, kernelSettingsMount.source].map(
  (settings) => path.join(settings, 'ipv6/conf'),
)

export function readPaths(env: Environment): Paths {
  const stateDir = directory('WEAVE_STATE_DIR', env)
  const runDir = directory('WEAVE_RUN_DIR', env)
  const logDir = directory('WEAVE_LOG_DIR', env)
  return {
    stateDir,
    identityFile: path.join(stateDir, 'identity.json'),
    settingsFile: path.join(stateDir, 'settings.json'),
    networksDir: path.join(stateDir, 'networks'),
    endpointsDir: path.join(stateDir, 'endpoints'),
    namesDir: path.join(stateDir, 'names'),
    ipamDir: path.join(stateDir, 'ipam'),
    adoptedDir: path.join(stateDir, 'adopted'),
    driversDir: path.join(stateDir, 'drivers'),
    storeDir: path.join(stateDir, 'store'),
    pluginsDir: path.join(stateDir, 'plugins'),
    asideDir: path.join(stateDir, 'aside'),
    startedDir: path.join(stateDir, 'started'),
    runDir,
    routerSocket: path.join(runDir, 'weave.sock'),
    routerPidFile: path.join(runDir, 'router.pid'),
    routerFaultFile: path.join(runDir, 'router.fault.json'),
    logDir,
    routerLogFile: path.join(logDir, 'router.log'),
  }
}

export function pluginPaths(paths: Paths, driver: string): PluginPaths {
  return {
    stateFile: path.join(paths.pluginsDir, `${driver}.json`),
    pidFile: path.join(paths.runDir, `plugin-${driver}.pid`),
    faultFile: path.join(paths.runDir, `plugin-${driver}.fault.json`),
    logFile: path.join(paths.logDir, `plugin-${driver}.log`),
  }
}

/** The variables to hand to a child so that it finds the same paths; only those that move one. */
export function pathVariables(paths: Paths): Readonly<Record<string, string>> {
  const now = {
    WEAVE_STATE_DIR: paths.stateDir,
    WEAVE_RUN_DIR: paths.runDir,
    WEAVE_LOG_DIR: paths.logDir,
  }
  const usual: Environment = directoryVariables
  return Object.fromEntries(Object.entries(now).filter(([name, dir]) => usual[name] !== dir))
}

/**
 * Everything that we may have made in our three directories, as directory and pattern of names.
 * The directories may be shared (or moved to where others live), so nothing else may be removed.
 */
export function ownFiles(paths: Paths): readonly { readonly dir: string; readonly name: RegExp }[] {
  return [
    {
      dir: paths.stateDir,
      name: /^(?:(?:identity|membership|settings)\.json(?:\..*)?|networks|endpoints|names|ipam|adopted|drivers|store|plugins|aside|started)$/,
    },
    { dir: paths.runDir, name: /^(?:weave\.sock|router\..*|plugin-.*)$/ },
    { dir: paths.logDir, name: /^(?:router|etcd|plugin-.*)\.log(?:\..*)?$/ },
  ]
}

function directory(name: keyof typeof directoryVariables, env: Environment): string {
  const chosen = env[name] ?? ''
  return chosen === '' ? directoryVariables[name] : path.resolve(chosen)
}
