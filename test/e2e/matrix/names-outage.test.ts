/**
 * Names while something is away: what can be known is answered, without a wait for whoever has nothing to do with it,
 * and all is back by itself.
 */

import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addressOf,
  createSeedLab,
  restarted,
  runContainer,
  signalMain,
} from '../../support/cluster.ts'
import { ok } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'
import { addLookupImage } from '../../support/lab/lookup.ts'
import { startUpstream } from '../../support/lab/upstream.ts'
import type { Upstream } from '../../support/lab/upstream.ts'
import { dig, expectAddresses, lookUpAll } from '../../support/lookup.ts'
import type { Asker } from '../../support/lookup.ts'
import { currentMode } from '../../support/mode.ts'
import { countDistinct, lookUpWhile } from '../../support/steady-lookup.ts'

const domain = 'weave.local'
const image = 'lookup'
const backMs = 60_000
/** The lease, and what the store takes to notice that it is over. */
const leaseMs = 30_000 + 5000

let lab: Lab
let upstream: Upstream
let host1: Host
let host2: Host
let host3: Host
let onHost1: Asker
let onHost2: Asker
let onHost3: Asker
let all: readonly Asker[]

beforeAll(async () => {
  lab = await createSeedLab(3)
  host1 = lab.host(1)
  host2 = lab.host(2)
  host3 = lab.host(3)
  upstream = await startUpstream(lab)
  await Promise.all(lab.hosts.map(addLookupImage))
  onHost1 = { host: host1, container: 'one' }
  onHost2 = { host: host2, container: 'two' }
  onHost3 = { host: host3, container: 'three' }
  all = [onHost1, onHost2, onHost3]
  await Promise.all(
    all.map(({ host, container }) =>
      runContainer(host, container, { image, args: ['--restart=always'] }),
    ),
  )
  await expectAllNames()
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

/** Each container knows each. */
async function expectAllNames(): Promise<void> {
  for (const { host, container } of all) {
    const address = await addressOf(host, container)
    for (const asker of all)
      await expectAddresses(asker, container, [address], { patienceMs: backMs })
  }
}

test('while the name server of the hosts is silent, names are answered without it', async () => {
  const before = await upstream.asked()
  const known = all.flatMap(({ container }) => [container, `${container}.${domain}`])
  await upstream.pause()
  for (const asker of all) {
    for (const resolver of ['glibc', 'musl', 'busybox'] as const) {
      const found = await lookUpAll(asker, [...known, `nobody.${domain}`], resolver)
      expect(Object.values(found).flat(), resolver).toHaveLength(known.length)
    }
    expect((await dig(asker, 'one', 'AAAA')).status).toBe('NOERROR')
    expect((await dig(asker, `nobody.${domain}`)).status).toBe('NXDOMAIN')
  }
  await upstream.resume()
  // Whatever has come to it meanwhile is read before this.
  await dig(onHost1, 'www.example')
  const asked = (await upstream.asked()).slice(before.length)
  expect(asked).toContain('udp A www.example')
  expect(asked.filter((line) => !line.endsWith(' www.example'))).toEqual([])
})

test('while the store is away, names stay as they were', async () => {
  const { answers } = await lookUpWhile(onHost2, 'three', async () => {
    await takeStoreAway()
    for (const asker of [onHost2, onHost3]) {
      await expectAddresses(asker, 'one', [await addressOf(host1, 'one')])
    }
    await bringStoreBack()
  })
  expect(countDistinct(answers)).toEqual({
    [await addressOf(host3, 'three')]: answers.length,
  })
  await runContainer(host2, 'later', { image })
  await expectAddresses(onHost3, 'later', [await addressOf(host2, 'later')], { patienceMs: backMs })
  await ok(host2.docker('rm', '-f', 'later'))
  await expectAddresses(onHost3, 'later', [], { patienceMs: backMs })
})

describe('when a router', () => {
  test.for(['KILL', 'TERM'])(
    'ends by SIG%s, no lookup of a name of its host fails',
    async (signal, { annotate }) => {
      const { answers, longestMs } = await lookUpWhile(onHost2, 'two', () =>
        restarted(host2, () => signalMain(host2, 'weave', signal)),
      )
      const own = await addressOf(host2, 'two')
      await annotate(`the longest of ${answers.length} lookups took ${longestMs} ms`)
      expect(countDistinct(answers)).toEqual({ [own]: answers.length })
      await expectAllNames()
    },
  )

  test('is away, names of its host are answered, and others again when it is back', async () => {
    await ok(host2.docker('kill', 'weave'))
    const { answers } = await lookUpWhile(onHost2, 'two', async () => {
      expect((await dig(onHost2, 'www.example')).records).toEqual(['A 192.0.2.80'])
      await expectAddresses(onHost3, 'two', [await addressOf(host2, 'two')])
    })
    expect(countDistinct(answers)).toEqual({ [await addressOf(host2, 'two')]: answers.length })

    const starting = runContainer(host2, 'patient', { image })
    await ok(host2.docker('start', 'weave'))
    await starting
    await expectAddresses(onHost3, 'patient', [await addressOf(host2, 'patient')], {
      patienceMs: backMs,
    })
    const patient = { host: host2, container: 'patient' }
    await expectAddresses(patient, 'three', [await addressOf(host3, 'three')], {
      patienceMs: backMs,
    })
    await expectAllNames()
    await ok(host2.docker('rm', '-f', 'patient'))
  })

  test('hangs, names of its host are answered all the same after a while', async () => {
    await signalMain(host2, 'weave', 'STOP')
    await expectAddresses(onHost2, 'two', [await addressOf(host2, 'two')], { patienceMs: backMs })
    await signalMain(host2, 'weave', 'CONT')
    await expectAllNames()
  })
})

describe('when dockerd', () => {
  test.each(['stopDocker', 'killDocker'] as const)(
    'and its containers end (%s), names are back with those that are',
    async (end) => {
      await host2.docker('rm', '-f', 'ends')
      await runContainer(host2, 'ends', { image })
      await expectAddresses(onHost1, 'ends', [await addressOf(host2, 'ends')])
      await restarted(host2, async () => {
        await host2[end]()
        await host2.startDocker()
      })
      await expectAllNames()
      // Ours: with a cluster store Docker may go on answering the bare name.
      await expectAddresses(onHost1, `ends.${domain}`, [], { patienceMs: backMs })
      expect((await dig(onHost2, 'www.example')).records).toEqual(['A 192.0.2.80'])
    },
  )

  test('is restarted while its containers go on, names are answered throughout', async ({
    annotate,
  }) => {
    await writeFile(host2.path('/etc/docker/daemon.json'), '{"live-restore": true}')
    await ok(host2.run('kill -HUP $(pidof dockerd)'))
    const { answers, longestMs } = await lookUpWhile(onHost2, 'three', async () => {
      await host2.stopDocker()
      await host2.startDocker()
    })
    const three = await addressOf(host3, 'three')
    await annotate(`the longest of ${answers.length} lookups took ${longestMs} ms`)
    expect(countDistinct(answers)).toEqual({ [three]: answers.length })
    expect((await dig(onHost2, 'www.example')).records).toEqual(['A 192.0.2.80'])
    await expectAllNames()
  })
})

test('the names of a host that dies are gone with its lease, and come back with it', async () => {
  await host3.crash()
  for (const asker of [onHost1, onHost2]) {
    await expectAddresses(asker, `three.${domain}`, [], { patienceMs: leaseMs })
  }
  await host3.boot()
  await expectAllNames()
})

/** Of the whole cluster: Docker's own, or the one that the router of the first host runs. */
async function takeStoreAway(): Promise<void> {
  if (currentMode().store === 'none') await ok(host1.weave('stop'))
  else await lab.store.stop()
}

async function bringStoreBack(): Promise<void> {
  if (currentMode().store === 'none') await ok(host1.weave('launch'))
  else await lab.store.start()
}
