/**
 * A name server on the switch, where every host's /etc/resolv.conf says that there is one. What it answers and how it
 * tells what it was asked is in upstream.mjs.
 */

import path from 'node:path'
import { ok } from './command.ts'
import type { Lab } from './lab.ts'
import type { Service } from './machine.ts'
import { switchIp } from './network.ts'
import { until } from './remains.ts'

export interface Upstream {
  /** Questions that have reached it, oldest first: `udp A www.example`. */
  asked(): Promise<readonly string[]>
  /** From now on it is silent; what it is asked it reads when it goes on. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** From now on nobody is there, and the switch says so. */
  stop(): Promise<void>
}

export async function startUpstream({ hub }: Pick<Lab, 'hub'>): Promise<Upstream> {
  const program = path.join(import.meta.dirname, 'upstream.mjs')
  const service: Service = await hub.start('upstream', [process.execPath, program, switchIp])
  const isUp = await until(
    async () =>
      (await hub.run(['dig', '+tries=1', '+time=1', `@${switchIp}`, 'ready.test'])).code === 0,
    10_000,
  )
  if (!isUp) throw new Error(await ok(hub.run('cat /var/log/lab/upstream.log')))
  async function signal(name: string): Promise<void> {
    await ok(hub.run(['kill', `-${name}`, String(service.pid)]))
  }
  return {
    asked: async () => (await ok(hub.run('cat /var/log/lab/upstream.log'))).split('\n'),
    pause: () => signal('STOP'),
    resume: () => signal('CONT'),
    stop: () => service.kill(),
  }
}
