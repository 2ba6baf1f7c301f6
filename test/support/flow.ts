/**
 * A flow between two containers, watched while something else happens: a ping a hundred times a
 * second and one TCP connection that carries a number every 20 ms.
 *
 * Both are counted at both ends: a connection that broke is one that did not carry the last number.
 */

import { addressOf } from './cluster.ts'
import { ok, until } from './lab/lab.ts'
import type { Host } from './lab/lab.ts'

export interface Flow {
  readonly from: Host
  readonly container: string
  readonly to: Host
  readonly server: string
  /** Of the server; its IPv4 address in the network `weave` when absent. */
  readonly address?: string
}

export interface Losses {
  /** Pings that nobody answered. */
  readonly lost: number
  /** Whether the connection ended early, or skipped a number. */
  readonly broken: boolean
}

const port = '5001'
/** Before and after the work, so that what it does at once and at the end is seen, too. */
const marginMs = 1000
const leastPings = 100

const untilStopped = '[ ! -e /tmp/stop ]'
const count = `i=0; while ${untilStopped}; do echo $i; i=$((i+1)); usleep 20000; done; echo $i >/tmp/sent`

export async function lostWhile(flow: Flow, work: () => Promise<unknown>): Promise<Losses> {
  const { from, container, to, server } = flow
  const address = flow.address ?? (await addressOf(to, server))
  await inside(from, container, 'rm -f /tmp/stop /tmp/sent')
  const listen = `sleep 1000 | nc -l -p ${port} >/tmp/numbers`
  await ok(to.docker('exec', '-d', server, 'sh', '-c', listen))
  const send = `(${count}) | nc ${address} ${port}`
  await ok(from.docker('exec', '-d', container, 'sh', '-c', send))
  const ping = `ping -i 0.01 -W 1 -c 100000 ${address} & p=$!
    while ${untilStopped}; do usleep 50000; done; kill -INT $p; wait $p`
  const command = ['docker', 'exec', container, 'sh', '-c', ping]
  const answers = from.run(command, { deadlineMs: 170_000 })
  await sleep(marginMs)
  try {
    await work()
    await sleep(marginMs)
  } finally {
    await inside(from, container, 'touch /tmp/stop')
  }
  return { lost: countLost((await answers).stdout), broken: !(await isWhole(flow)) }
}

function countLost(report: string): number {
  const [, sent = '0', received = '-1'] =
    /(\d+) packets transmitted, (\d+) packets received/.exec(report) ?? []
  if (Number(sent) < leastPings) throw new Error(`the ping did not run: ${report}`)
  // The last request may still have been under way when ping was told to end.
  return Math.max(0, Number(sent) - Number(received) - 1)
}

/** Every number has arrived, in order, up to the last one sent. */
async function isWhole({ from, container, to, server }: Flow): Promise<boolean> {
  return until(async () => {
    const sent = Number(await inside(from, container, 'cat /tmp/sent || echo -1'))
    const numbers = (await inside(to, server, 'cat /tmp/numbers')).split('\n').map(Number)
    return numbers.length === sent && numbers.every((number, index) => number === index)
  }, 2000)
}

async function inside(host: Host, container: string, script: string): Promise<string> {
  return ok(host.docker('exec', container, 'sh', '-c', script))
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
