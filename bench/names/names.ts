/**
 * What do names cost, and how soon are they right, on engines that by themselves know those of their own host only?
 *
 *     host 1 (founder)          host 2          host 3, launched with --no-dns
 *     weave: asker, near        weave: far      weave: farther
 *     plain: asker, near                        what differs from host 2 is what names cost
 *
 * "plain" is a bridge network of Docker's: its resolver is asked there what ours is asked on "weave". On the
 * switch is a server that answers at once for what nobody here knows.
 */

import type { EngineName } from '../../test/support/lab/engine.ts'
import { ok } from '../../test/support/lab/lab.ts'
import type { Host, Lab } from '../../test/support/lab/lab.ts'
import { switchIp } from '../../test/support/lab/network.ts'
import { createNetwork, expectNetwork } from '../../test/support/networks.ts'
import { createLocalLab, enginesOfToday } from '../support/launch.ts'
import type { Row, Section } from '../support/report.ts'
import { lookups, stay } from '../support/scene.ts'
import { measureAnswers } from './answers.ts'
import { measureCosts } from './costs.ts'
import { measureFirstLookups } from './first-lookups.ts'
import { measureLives } from './lives.ts'

interface Options {
  readonly quick: boolean
}

export async function measureNames(
  options: Options,
  prefix: string | undefined,
): Promise<readonly Section[]> {
  const sections: Section[] = []
  for (const engine of enginesOfToday) {
    sections.push(...(await measureEngine(engine, options, prefix)))
  }
  return sections
}

async function measureEngine(
  engine: EngineName,
  options: Options,
  prefix: string | undefined,
): Promise<readonly Section[]> {
  await using lab = await createLocalLab({ engine, prefix, hosts: 3, flags: flagsOf })
  await setStage(lab)
  const [host1, host2, host3] = [lab.host(1), lab.host(2), lab.host(3)]
  const on = `Docker ${engine}`
  // Where Docker lets the process run before it tells us of the container, the first lookup may be too soon.
  const isPromised = engine !== '26.1'
  return [
    { title: `Lookups in a container, ${on}`, ...(await measureAnswers(host1, options)) },
    {
      title: `How soon names are right, ${on}`,
      ...joined([
        await measureLives({ at: host1, seenFrom: host2 }, options),
        await measureFirstLookups(host1, { ...options, isPromised }),
      ]),
    },
    { title: `What names cost, ${on}`, ...(await measureCosts(host2, host3, options)) },
  ]
}

type Found = Omit<Section, 'title'>

function joined(parts: readonly Found[]): Found {
  const rows = parts.flatMap((part): readonly Row[] => part.rows)
  return { rows, note: parts.map(({ note }) => note).join(' ') }
}

function flagsOf({ name }: Host): readonly string[] {
  return name === 'host3' ? ['--no-dns'] : []
}

async function setStage(lab: Lab): Promise<void> {
  const [host1, host2, host3] = [lab.host(1), lab.host(2), lab.host(3)]
  await lab.hub.start('upstream', [process.execPath, lookups, 'answer', switchIp])
  await createNetwork(host1, 'weave')
  await expectNetwork(lab.hosts, 'weave')
  await ok(host1.docker('network', 'create', 'plain'))
  for (const network of ['weave', 'plain']) {
    await stay(host1, `near-${network}`, network, '--network-alias=near')
    await stay(host1, `asker-${network}`, network)
  }
  // The first container of a network on a host pays for bridge and tunnel: none of the measured ones shall.
  await Promise.all([stay(host2, 'far', 'weave'), stay(host3, 'farther', 'weave')])
}
