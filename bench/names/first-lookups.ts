/**
 * Is the first lookup of a container's first process answered, and if not, when is one?
 *
 * Asked is the name of another host's container, which Docker's resolver does not know. Many starts at
 * once are the hard case, where Docker does not wait for our resolver: the router has other work then.
 */

import { ok } from '../../test/support/lab/lab.ts'
import type { Host } from '../../test/support/lab/lab.ts'
import { figure } from '../support/report.ts'
import type { Row, Section } from '../support/report.ts'
import { quantile } from '../support/stats.ts'

const together = 10
const lookup = ['nslookup', '-type=a', 'far']
const untilKnown = `echo $EPOCHREALTIME; until ${lookup.join(' ')} >/dev/null 2>&1; do :; done; echo $EPOCHREALTIME`
const run = ['run', '--rm', '--net=weave', 'ubuntu']

/** @param isPromised whether Docker waits for us before it lets the process run. */
export async function measureFirstLookups(
  host: Host,
  { quick, isPromised }: { readonly quick: boolean; readonly isPromised: boolean },
): Promise<Omit<Section, 'title'>> {
  const times = quick ? 10 : 30
  const alone: boolean[] = []
  const samples: number[] = []
  const crowd: boolean[] = []
  for (let time = 0; time < times; time += 1) {
    alone.push(await isFirstAnswered(host))
    samples.push(await measureWindow(host))
  }
  for (let left = times; left > 0; left -= together) {
    const burst = Array.from({ length: together }, () => isFirstAnswered(host))
    crowd.push(...(await Promise.all(burst)))
  }
  const note =
    `First lookups: ${times} containers whose first process is nslookup, one by one and ${together} at once; and ${times} with ` +
    `a shell that tries until nslookup succeeds, whose own time is included.`
  return {
    note,
    rows: [
      shareRow('first lookups of a first process that are answered', alone, isPromised),
      shareRow(`… ${together} starting at once`, crowd, isPromised),
      {
        what: 'from the start of its first process to an answer',
        figures: {
          'p50 ms': figure(quantile(samples, 0.5), { samples }),
          'p99 ms': figure(quantile(samples, 0.99)),
        },
      },
    ],
  }
}

async function isFirstAnswered(host: Host): Promise<boolean> {
  return (await host.docker(...run, ...lookup)).code === 0
}

async function measureWindow(host: Host): Promise<number> {
  const said = await ok(host.docker(...run, 'bash', '-c', untilKnown))
  const [began = Number.NaN, known = Number.NaN] = said.split('\n').map(Number)
  return (known - began) * 1000
}

function shareRow(what: string, answered: readonly boolean[], isPromised: boolean): Row {
  const count = answered.filter(Boolean).length
  const text = `${count} of ${answered.length}`
  const samples = answered.map(Number)
  return {
    what,
    figures: { answered: { value: count / answered.length, text, samples } },
    ...(isPromised ? { promise: { text: 'all', kept: count === answered.length } } : {}),
  }
}
