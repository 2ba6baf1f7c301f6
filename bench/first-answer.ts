/**
 * When does a new container answer the other host?
 *
 * From the return of Join to the first ping answered from a container on the other host. In between this
 * program does what Docker would: it moves the interface into a new namespace and gives it its address.
 * The ping starts when the interface is up; both, and the start of the programs that do it, are counted.
 */

import { ok } from '../test/support/lab/lab.ts'
import type { Host } from '../test/support/lab/lab.ts'
import { createCaller } from './support/calls.ts'
import type { Endpoint } from './support/calls.ts'
import { atMost, figure } from './support/report.ts'
import type { Section } from './support/report.ts'
import type { Scene } from './support/scene.ts'
import { quantile } from './support/stats.ts'

const promisedMs = 100
/** On host 2's container, so that it finds the way to addresses that Docker did not give out. */
const proberAddress = '10.210.255.1/16'

export async function measureFirstAnswer(
  { host1, host2 }: Scene,
  { quick }: { readonly quick: boolean },
): Promise<readonly Section[]> {
  const times = quick ? 5 : 50
  const network = await ok(host1.docker('network', 'inspect', '-f', '{{.Id}}', 'weave'))
  const prober = await ok(host2.docker('inspect', '-f', '{{.State.Pid}}', 'weave-2'))
  const inProber = ['nsenter', '-t', prober, '-n', '--']
  await ok(host2.run([...inProber, 'ip', 'address', 'add', proberAddress, 'dev', 'ethwe0']))
  using caller = createCaller(host1, network)
  const samples: number[] = []
  for (let time = 0; time < times; time += 1) {
    const endpoint = caller.next()
    await endpoint.create()
    const link = await endpoint.join()
    const start = performance.now()
    await moveIn(host1, link, endpoint)
    await ok(host2.run([...inProber, 'busybox', 'ping', '-c1', '-W5', endpoint.ip]))
    samples.push(performance.now() - start)
    await endpoint.leave()
    await endpoint.remove()
    await ok(host1.run(['ip', 'netns', 'delete', endpoint.id]))
  }
  await ok(host2.run([...inProber, 'ip', 'address', 'delete', proberAddress, 'dev', 'ethwe0']))
  const p99 = quantile(samples, 0.99)
  const row = {
    what: 'from Join to the first ping answered from the other host, ms',
    figures: {
      p50: figure(quantile(samples, 0.5), { digits: 0, samples }),
      p99: figure(p99, { digits: 0 }),
    },
    promise: atMost(p99, { limit: promisedMs, unit: 'ms' }),
  }
  const note = `${times} new endpoints, moving the interface into its namespace and starting ping included.`
  return [{ title: 'How soon a container is reached', note, rows: [row] }]
}

async function moveIn(host: Host, link: string, { id, ip }: Endpoint): Promise<void> {
  const inside = `ip -n ${id}`
  await ok(
    host.run(
      `ip netns add ${id} && ip link set ${link} netns ${id} name ethwe0 &&
       ${inside} address add ${ip}/16 dev ethwe0 && ${inside} link set ethwe0 up`,
    ),
  )
}
