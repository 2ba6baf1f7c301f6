/** What does the router of a host take: memory and processor? */

import { setTimeout as sleep } from 'node:timers/promises'
import { ok, until } from '../../test/support/lab/lab.ts'
import type { Host } from '../../test/support/lab/lab.ts'

export async function untilReady(host: Host): Promise<void> {
  const isReady = await until(async () => {
    const { code, stdout } = await host.weave('status', '-o', 'json')
    return code === 0 && JSON.parse(stdout).ready === true
  }, 30_000)
  if (!isReady) throw new Error(`the router on ${host.name} does not become ready`)
}

export async function routerPid(host: Host): Promise<number> {
  return JSON.parse(await ok(host.weave('status', '-o', 'json'))).host.pid
}

export async function memoryMib(host: Host, pid: number): Promise<{ now: number; peak: number }> {
  const status = await ok(host.run(['cat', `/proc/${pid}/status`]))
  function mib(name: string): number {
    return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024
  }
  return { now: mib('VmRSS'), peak: mib('VmHWM') }
}

/** Of one core. */
export async function busyPercent(
  host: Host,
  { pid, idleMs }: { readonly pid: number; readonly idleMs: number },
): Promise<number> {
  const before = await busyTicks(host, pid)
  await sleep(idleMs)
  const ticks = (await busyTicks(host, pid)) - before
  const ticksPerSecond = 100
  return (ticks / ticksPerSecond / (idleMs / 1000)) * 100
}

/** User and system time, fields 14 and 15 of /proc/PID/stat, counted after the name in brackets. */
async function busyTicks(host: Host, pid: number): Promise<number> {
  const stat = await ok(host.run(['cat', `/proc/${pid}/stat`]))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
