/**
 * How are the lab's hosts wired?
 *
 *        switch (a machine of its own; also runs the cluster store)
 *        ┌──────────────────────────────┐
 *        │  bridge "labsw"  10.99.0.254 │
 *        └──┬──────────────┬────────────┘
 *         lab1           lab2            veth, MTU 1500
 *           │              │
 *     host1 eth0      host2 eth0
 *     10.99.0.1       10.99.0.2          fd99::1, fd99::2
 *
 * All of it is inside the machines' own network namespaces. This computer's own network is never touched, and any
 * number of labs with the same addresses can run side by side.
 */

import { ok, run } from './command.ts'
import type { Machine } from './machine.ts'

export const switchIp = '10.99.0.254'

export function addressOf(index: number): { ip: string; ip6: string } {
  return { ip: `10.99.0.${index}`, ip6: `fd99::${index}` }
}

/** The end of a host's cable at the switch. */
function portOf(index: number): string {
  return `lab${index}`
}

export async function layBridge(machine: Machine): Promise<void> {
  await ok(
    machine.run(
      `ip link add labsw type bridge && ip link set labsw up &&
       ip address add ${switchIp}/24 dev labsw && ip address add fd99::fe/64 dev labsw nodad`,
    ),
  )
}

/** Lays a cable from the switch to host number `index`. */
export async function plugIn(hub: Machine, host: Machine, index: number): Promise<void> {
  const { ip, ip6 } = addressOf(index)
  // Only the network namespace is the switch's, so that the host's process ID means the same.
  const inSwitch = ['nsenter', '-t', String(hub.pid), '-n', '--', 'ip']
  const veth = ['link', 'add', portOf(index), 'mtu', '1500', 'type', 'veth']
  await ok(
    run([...inSwitch, ...veth, 'peer', 'name', 'eth0', 'mtu', '1500', 'netns', String(host.pid)]),
  )
  await ok(run([...inSwitch, 'link', 'set', portOf(index), 'master', 'labsw', 'up']))
  await ok(
    host.run(
      `ip link set eth0 up && ip address add ${ip}/24 dev eth0 &&
       ip address add ${ip6}/64 dev eth0 nodad && ip route add default via ${switchIp}`,
    ),
  )
}

/** Takes a host's cable away, both ends. */
export async function unplug(hub: Machine, index: number): Promise<void> {
  await ok(hub.run(['ip', 'link', 'delete', portOf(index)]))
}

/** Stops or starts passing a host's traffic, its own link staying up. */
export async function setPort(hub: Machine, index: number, state: 'up' | 'down'): Promise<void> {
  const flag = state === 'up' ? 'master' : 'nomaster'
  await ok(
    hub.run(['ip', 'link', 'set', portOf(index), flag, ...(state === 'up' ? ['labsw'] : [])]),
  )
}
