/**
 * A lab with weave on it, and the questions that end-to-end tests ask of it, in whatever mode this run is.
 *
 * `createSeedLab` types the commands of the README, word for word.
 */

import { existsSync } from 'node:fs'
import { status } from '../../src/control/messages.ts'
import type { Status } from '../../src/control/messages.ts'
import { run } from './lab/command.ts'
import { createLab, ok, until } from './lab/lab.ts'
import type { Host, Lab } from './lab/lab.ts'
import { currentMode } from './mode.ts'

/**
 * What `docker run` of these tests uses: ping, wget, httpd, nc, ip, and the C library that wget needs
 * to resolve names.
 */
const usualImage = 'ubuntu'
const backMs = 45_000
/** From one host's engine to all others. */
const spreadMs = 10_000
const managedPort = 6785

export async function createSeedLab(
  hosts: 2 | 3 = 2,
  underlay: 'IPv4' | 'IPv6' = 'IPv4',
): Promise<Lab> {
  const { engine, store } = currentMode()
  const lab = await createLab({ hosts, engine, store })
  try {
    await launchEverywhere(lab, underlay)
    await createNetwork(lab, 'weave')
    return lab
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

async function launchEverywhere(lab: Lab, underlay: 'IPv4' | 'IPv6'): Promise<void> {
  const [first, ...others] = lab.hosts
  if (first === undefined) throw new Error('a lab without hosts')
  const isIpv4 = underlay === 'IPv4'
  await ok(first.weave('launch', ...(isIpv4 ? [] : [`--advertise=${first.ip6}`])))
  for (const host of others) await ok(host.weave('launch', isIpv4 ? first.name : first.ip6))
  await Promise.all(lab.hosts.map((host) => ok(host.weave('launch-plugin'))))
}

/** Makes a network on the first host, and waits until other hosts have it. */
export async function createNetwork(
  lab: Lab,
  name: string,
  options: {
    readonly driver?: string
    readonly addresses?: 'from IPAM' | 'none'
    /** Those that must have it then; all of them unless told. */
    readonly hosts?: readonly Host[]
    readonly args?: readonly string[]
  } = {},
): Promise<void> {
  const { driver = 'weave', addresses = 'from IPAM', hosts = lab.hosts, args = [] } = options
  const { createFlags, bareFlags } = currentMode()
  const needed = addresses === 'none' ? bareFlags(name) : createFlags(driver)
  const flags = [`--driver=${driver}`, ...needed, ...args]
  await ok(lab.host(1).docker('network', 'create', ...flags, name))
  for (const host of hosts) await awaitNetwork(host, name)
}

export async function awaitNetwork(host: Host, name: string): Promise<void> {
  const isThere = await until(() => hasNetwork(host, name), spreadMs)
  if (!isThere) throw new Error(`network ${name} does not appear on ${host.name}`)
}

/** Removes a network on one host, and waits until no host has it. */
export async function removeNetwork(lab: Lab, name: string, from = lab.host(1)): Promise<void> {
  await ok(from.docker('network', 'rm', name))
  for (const host of lab.hosts) {
    const isGone = await until(async () => !(await hasNetwork(host, name)), spreadMs)
    if (!isGone) throw new Error(`network ${name} stays on ${host.name}`)
  }
}

async function hasNetwork(host: Host, name: string): Promise<boolean> {
  return (await host.docker('network', 'inspect', name)).code === 0
}

/** Starts a container that stays, and ends at once when told to; gives its ID. */
export async function runContainer(
  host: Host,
  name: string,
  options: {
    readonly net?: string
    readonly args?: readonly string[]
    readonly image?: string
    readonly command?: readonly string[]
  } = {},
): Promise<string> {
  const { net = 'weave', args = [], image = usualImage, command = ['sleep', '100000'] } = options
  const flags = ['-d', '--stop-signal=KILL', `--name=${name}`, `--net=${net}`]
  return ok(host.docker('run', ...flags, ...args, image, ...command))
}

/** Whether `name` answers a ping from within `container`. */
export async function pings(
  host: Host,
  container: string,
  target: string,
  ...args: readonly string[]
): Promise<boolean> {
  const { code } = await host.docker('exec', container, 'ping', '-c1', '-W2', ...args, target)
  return code === 0
}

export async function addressOf(host: Host, container: string, net = 'weave'): Promise<string> {
  const format = `{{(index .NetworkSettings.Networks "${net}").IPAddress}}`
  return ok(host.docker('inspect', '-f', format, container))
}

export async function ipv6Of(host: Host, container: string, net: string): Promise<string> {
  const format = `{{(index .NetworkSettings.Networks "${net}").GlobalIPv6Address}}`
  return ok(host.docker('inspect', '-f', format, container))
}

/** Serves `text` over HTTP on port 80 of a running container. */
export async function serve(host: Host, container: string, text: string): Promise<void> {
  const script = `mkdir -p /www && echo '${text}' > /www/index.html && httpd -h /www`
  await ok(host.docker('exec', container, 'sh', '-c', script))
}

export async function fetchText(host: Host, container: string, url: string): Promise<string> {
  return ok(host.docker('exec', container, 'timeout', '5', 'wget', '-qO-', url))
}

/** Our interfaces on a host. */
export async function ourLinks(host: Host): Promise<readonly string[]> {
  const links = await ok(host.run(['ip', '-o', 'link']))
  return [...links.matchAll(/^\d+: (?<name>wv[bxhc][0-9a-f]+)/gm)].map(
    ({ groups }) => groups?.['name'] ?? '',
  )
}

/** What `weave status -o json` says, whether it is ready or not. */
export async function readStatus(host: Host): Promise<Status> {
  const { stdout } = await host.weave('status', '-o', 'json')
  return status.parse(JSON.parse(stdout))
}

/** What is in the store under our keys. */
export async function storedKeys(lab: Lab, under = ''): Promise<readonly string[]> {
  const text = await askStore(lab, 'get', '--prefix', '--keys-only', `/weave/v1/${under}`)
  return text.split('\n').filter((line) => line !== '')
}

/** Runs etcdctl beside Docker's cluster store, or else on the first host, beside the managed store. */
async function askStore(lab: Lab, ...args: readonly string[]): Promise<string> {
  if (currentMode().store !== 'none') return await lab.store.ctl(...args)
  // None is left when its host was reset.
  if (!existsSync(lab.host(1).path('/var/lib/weave/store'))) return ''
  // Only the network is the host's: its system need not have etcdctl.
  const onFirst = ['nsenter', '-t', String(lab.host(1).pid), '-n', '--', 'etcdctl']
  const options = { env: { ...process.env, ETCDCTL_API: '3' }, deadlineMs: 10_000 }
  return await ok(
    run([...onFirst, `--endpoints=${lab.host(1).ip}:${managedPort}`, ...args], options),
  )
}

/** Signals the process of one of weave's containers behind Docker's back. */
export async function signalMain(
  host: Host,
  container: 'weave' | 'weaveplugin',
  signal: string,
): Promise<void> {
  const pid = await ok(host.docker('inspect', '-f', '{{.State.Pid}}', container))
  await ok(host.run(['kill', `-${signal}`, pid]))
}

/** Does what ends the router of a host, and waits until another one is ready. */
export async function restarted(host: Host, work: () => Promise<unknown>): Promise<void> {
  const { startedAt } = (await readStatus(host)).host
  await work()
  const isBack = await until(async () => {
    const now = await readStatus(host).catch(() => undefined)
    return now?.ready === true && now.host.startedAt !== startedAt
  }, backMs)
  if (!isBack) throw new Error(`the router of ${host.name} does not come back`)
}
