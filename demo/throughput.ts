/** TCP throughput between two hosts, and between two containers on them, one after the other. */

import { z } from 'zod'
import { ok, until } from '../test/support/lab/lab.ts'
import type { Host, Outcome } from '../test/support/lab/lab.ts'

const report = z.object({
  end: z.object({ sum_received: z.object({ bits_per_second: z.number() }) }),
})

const client = ['-t', '3', '-J']
/** A server that has just been started may not listen yet. */
const patienceMs = 10_000

/** Bits per second received. */
export async function measureThroughput(
  from: Host,
  to: Host,
): Promise<{ readonly hosts: number; readonly containers: number }> {
  const server = await to.start('iperf3', ['iperf3', '-s'])
  const hosts = await measure(() => from.run(['iperf3', '-c', to.ip, ...client]))
  await server.stop()
  await ok(to.docker('run', '-d', '--net=weave', '--name=iperf', 'tools', 'iperf3', '-s'))
  const run = ['run', '--rm', '--net=weave', 'tools', 'iperf3', '-c', 'iperf', ...client]
  return { hosts, containers: await measure(() => from.docker(...run)) }
}

/** Bits per second received. */
async function measure(run: () => Promise<Outcome>): Promise<number> {
  let rate: number | undefined
  let last = ''
  await until(async () => {
    const { stdout } = await run()
    last = stdout
    const parsed = report.safeParse(JSON.parse(stdout))
    rate = parsed.data?.end.sum_received.bits_per_second
    return rate !== undefined
  }, patienceMs)
  if (rate === undefined) throw new Error(`iperf3 did not measure: ${last}`)
  return rate
}
