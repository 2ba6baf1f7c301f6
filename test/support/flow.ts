/**
 * A flow between two containers, watched while something else happens: a ping fifty times a second
 * and one TCP connection that carries a number every 20 ms.
 */

import { addressOf } from './cluster.ts'
import { ok } from './lab/lab.ts'
import type { Host } from './lab/lab.ts'

export interface Flow {
  readonly from: Host
  readonly container: string
  readonly to: Host
  readonly server: string
}

const port = '5001'

/** @returns how many pings went unanswered, and whether the connection broke or skipped a number. */
export async function lostWhile(
  { from, container, to, server }: Flow,
  work: () => Promise<unknown>,
): Promise<{ readonly lost: number; readonly broken: boolean }> {
  const address = await addressOf(to, server)
  const inside = ['exec', container, 'sh', '-c']
  const count = 'i=0; while [ ! -e /tmp/stop ]; do echo $i; i=$((i+1)); usleep 20000; done'
  await ok(
    to.docker('exec', '-d', server, 'sh', '-c', `sleep 1000 | nc -l -p ${port} >/tmp/numbers`),
  )
  await ok(from.docker(...inside, 'rm -f /tmp/stop'))
  await ok(from.docker('exec', '-d', container, 'sh', '-c', `(${count}) | nc ${address} ${port}`))
  const pinging = from.run(
    [
      'docker',
      ...inside,
      `ping -i 0.02 -W 1 -c 100000 ${server} & p=$!; while [ ! -e /tmp/stop ]; do usleep 50000; done; kill -INT $p; wait $p`,
    ],
    { deadlineMs: 170_000 },
  )
  await new Promise((resolve) => setTimeout(resolve, 1000))
  try {
    await work()
    await new Promise((resolve) => setTimeout(resolve, 1000))
  } finally {
    await ok(from.docker(...inside, 'touch /tmp/stop'))
  }
  const { stdout } = await pinging
  const [, sent = '0', received = '-1'] =
    /(\d+) packets transmitted, (\d+) packets received/.exec(stdout) ?? []
  const numbers = (await ok(to.docker('exec', server, 'cat', '/tmp/numbers')))
    .split('\n')
    .map(Number)
  if (Number(sent) < 50) throw new Error(`the ping did not run: ${stdout}`)
  const isWhole = numbers.length > 50 && numbers.every((number, index) => number === index)
  // The last request may still have been under way when ping was told to end.
  return { lost: Math.max(0, Number(sent) - Number(received) - 1), broken: !isWhole }
}
