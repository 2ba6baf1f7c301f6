/**
 * Which commands there are, and which of them an older Weave had.
 *
 * Only the command that is asked for is loaded: most of the time that a short command takes is the
 * reading of code.
 */

import type { Command } from 'commander'
import type { Context } from './context.ts'

export interface CommandEntry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<{ configure: (command: Command, context: Context) => void }>
}

export const commands: readonly CommandEntry[] = [
  {
    name: 'launch',
    summary: 'start the router on this host; found a cluster or join one',
    load: () => import('./launch.ts'),
  },
  {
    name: 'launch-plugin',
    summary: "make the driver known to this host's Docker engine",
    load: () => import('./launch-plugin.ts'),
  },
  {
    name: 'plugin-image',
    summary: "make Docker's managed plugin from this installation, for a swarm",
    load: () => import('./plugin-image.ts'),
  },
  {
    name: 'status',
    summary: 'show what the router knows: peers, connections, networks, endpoints, store',
    load: () => import('./status.ts'),
  },
  {
    name: 'stop',
    summary: 'end the router; running containers keep their connections',
    load: () => import('./stop.ts'),
  },
  {
    name: 'stop-plugin',
    summary: 'end a plugin; running containers keep their connections',
    load: () => import('./stop-plugin.ts'),
  },
  {
    name: 'dns-add',
    summary: 'add a name by hand, for a container or for an address',
    load: () => import('./dns-add.ts'),
  },
  {
    name: 'dns-remove',
    summary: 'remove names that were added by hand',
    load: () => import('./dns-remove.ts'),
  },
  {
    name: 'dns-lookup',
    summary: 'show the addresses of a name, or the names of an address',
    load: () => import('./dns-lookup.ts'),
  },
  {
    name: 'dns-args',
    summary: 'print what "docker run" needs for names where no network of ours is',
    load: () => import('./dns-args.ts'),
  },
  {
    name: 'rmpeer',
    summary: 'give the addresses of a host that is gone for good to the others',
    load: () => import('./rmpeer.ts'),
  },
  {
    name: 'reset',
    summary: 'remove every trace of weave from this host',
    load: () => import('./reset.ts'),
  },
  {
    name: 'router',
    summary: 'run the router in the foreground',
    load: () => import('./router.ts'),
  },
  {
    name: 'plugin',
    summary: 'run a plugin in the foreground',
    load: () => import('./plugin.ts'),
  },
  { name: 'version', summary: 'show the version', load: () => import('./version.ts') },
]

const byDocker = 'Docker does it now: docker run --net=NETWORK …'
const names =
  'Names are answered by what "weave launch" starts; "weave launch --no-dns" leaves them to Docker.'

/** Commands of Weave Net that are gone, and what takes their place. */
export const retired: Readonly<Record<string, string>> = {
  attach: 'Use "docker network connect NETWORK CONTAINER".',
  detach: 'Use "docker network disconnect NETWORK CONTAINER".',
  expose: 'Publish ports instead: docker run --net=NETWORK --publish=80:80 …',
  hide: 'Nothing is exposed, so there is nothing to hide.',
  connect: 'Hosts find each other through the store. To join: "weave launch PEER".',
  forget: 'Hosts that are gone are forgotten by themselves; their addresses with "weave rmpeer".',
  prime: 'It is not needed: addresses are there as soon as "weave launch" returns.',
  setup: 'Everything comes with the installation: "weave launch" is enough.',
  env: byDocker,
  config: byDocker,
  run: byDocker,
  start: 'Use "docker start CONTAINER".',
  restart: 'Use "docker restart CONTAINER".',
  'launch-router': 'Use "weave launch".',
  'stop-router': 'Use "weave stop".',
  'launch-proxy': byDocker,
  'stop-proxy': byDocker,
  'launch-dns': names,
  'stop-dns': names,
  ps: 'Use "weave status endpoints".',
  report: 'Use "weave status --output=json".',
  'setup-cni': 'Kubernetes is not supported.',
}
