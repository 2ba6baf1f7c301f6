/**
 * A lab with weave on it, and the questions that end-to-end tests ask of it.
 *
 * `launchSeed` types the commands of the README, word for word.
 */

import { status } from '../../src/control/messages.ts'
import type { Status } from '../../src/control/messages.ts'
import { createLab, ok, until } from './lab/lab.ts'
import type { Host, Lab } from './lab/lab.ts'

/**
 * What `docker run` of these tests uses: ping, wget, httpd, nc, ip, and the C library that wget needs
 * to resolve names.
 */
const image = 'ubuntu'
const backMs = 45_000

export async function createSeedLab(
  hosts: 2 | 3 = 2,
  underlay: 'IPv4' | 'IPv6' = 'IPv4',
): Promise<Lab> {
  const lab = await createLab({ hosts, engine: '20.10', store: 'etcd-as-docker-cluster-store' })
  try {
    await launchSeed(lab, underlay)
    return lab
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

async function launchSeed(lab: Lab, underlay: 'IPv4' | 'IPv6'): Promise<void> {
  const [first, ...others] = lab.hosts
  if (first === undefined) throw new Error('a lab without hosts')
  const isIpv4 = underlay === 'IPv4'
  await ok(first.weave('launch', ...(isIpv4 ? [] : [`--advertise=${first.ip6}`])))
  for (const host of others) await ok(host.weave('launch', isIpv4 ? first.name : first.ip6))
  await Promise.all(lab.hosts.map((host) => ok(host.weave('launch-plugin'))))
  await ok(first.docker('network', 'create', '--driver=weave', 'weave'))
}

/** Starts a container that stays, and ends at once when told to; gives its ID. */
export async function runContainer(
  host: Host,
  name: string,
  options: {
    readonly net?: string
    readonly args?: readonly string[]
    readonly command?: readonly string[]
  } = {},
): Promise<string> {
  const { net = 'weave', args = [], command = ['sleep', '100000'] } = options
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
  const text = await lab.store.ctl('get', '--prefix', '--keys-only', `/weave/v1/${under}`)
  return text.split('\n').filter((line) => line !== '')
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
