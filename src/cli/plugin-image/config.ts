/**
 * The config.json of the managed plugin: what dockerd gives it, and what a user may set.
 *
 * Where files lie is the trap. A plugin's own disk is replaced with each new version, and a bind mount
 * whose source is missing keeps it from starting, also after a reboot that emptied /run. So what is
 * mounted are the directories that every host has, and our own are made in them: state survives
 * upgrade and removal of the plugin, and `weave status` on the host finds the router's socket.
 *
 * Mounts are not recursive: the plugin must not hold on to the namespaces and file systems of
 * containers that have ended, which are mounted below these.
 */

import path from 'node:path'
import { managedVariables } from '../../settings/managed.ts'
import { dockerEngineSocket, kernelSettingsMount, readPaths } from '../../settings/paths.ts'

/** Below which /run of the host is seen; the plugin's own /run has its socket. */
const hostRoot = '/host'
const { stateDir, runDir } = readPaths({})

export const pluginDescription = 'Weave for Docker: one private network across many Docker hosts'

export function pluginConfig(): unknown {
  const stateParent = path.dirname(stateDir)
  const runParent = path.dirname(runDir)
  const engineSocket = path.join(hostRoot, runParent, path.basename(dockerEngineSocket))
  return {
    description: pluginDescription,
    documentation: '',
    entrypoint: ['/usr/local/bin/node', '/usr/local/lib/weave/dist/managed/main.js'],
    workdir: '/',
    interface: { types: ['docker.networkdriver/1.0'], socket: 'weave.sock' },
    network: { type: 'host' },
    // Links, tables and filters need the first, legacy iptables the second; nothing needs more.
    linux: { capabilities: ['CAP_NET_ADMIN', 'CAP_NET_RAW'] },
    mounts: [
      bind('state', stateParent, stateParent),
      bind('run', runParent, path.join(hostRoot, runParent)),
      bind('kernel', kernelSettingsMount.source, kernelSettingsMount.target),
    ],
    env: [
      ...managedVariables.map(({ name, description }) => ({
        name,
        description,
        value: '',
        settable: ['value'],
      })),
      fixed('WEAVE_RUN_DIR', path.join(hostRoot, runDir)),
      fixed('DOCKER_HOST', `unix://${engineSocket}`),
      fixed('XTABLES_LOCKFILE', path.join(hostRoot, runParent, 'xtables.lock')),
    ],
    args: { name: 'args', description: '', value: [] },
  }
}

function bind(name: string, source: string, destination: string): unknown {
  return { name, description: '', source, destination, type: 'bind', options: ['bind'] }
}

function fixed(name: string, value: string): unknown {
  return { name, description: '', value }
}
