/**
 * Which frames reach a container while something happens? tcpdump in its namespace is the judge.
 *
 * The trap: a count of zero says nothing unless the same frames are seen when they should be, so
 * every test that expects none shows beside it that they can be counted.
 */

import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { ok, until } from './lab/lab.ts'
import type { Host } from './lab/lab.ts'

export interface Watched {
  readonly host: Host
  readonly container: string
  /** As tcpdump reads it. */
  readonly filter: string
}

/** What is under way when the work is done arrives by then. */
const lateMs = 300
let watches = 0

/** How many of them arrive at the container's interface in our network. */
export async function framesDuring(
  { host, container, filter }: Watched,
  work: () => Promise<unknown>,
): Promise<number> {
  const pid = await ok(host.docker('inspect', '-f', '{{.State.Pid}}', container))
  watches += 1
  const name = `frames-${watches}`
  const log = host.path(`/var/log/lab/${name}.log`)
  const dump = ['tcpdump', '-Z', 'root', '-lnt', '-Q', 'in', '-i', 'ethwe0', filter]
  const service = await host.start(name, ['nsenter', '-t', pid, '-n', ...dump])
  try {
    const isListening = await until(
      async () => (await readFile(log, 'utf8')).includes('listening on'),
      5000,
    )
    if (!isListening) throw new Error(`tcpdump does not start: ${await readFile(log, 'utf8')}`)
    await work()
    await sleep(lateMs)
  } finally {
    await service.stop()
  }
  const text = await readFile(log, 'utf8')
  return Number(/^(\d+) packets? captured$/m.exec(text)?.[1])
}
