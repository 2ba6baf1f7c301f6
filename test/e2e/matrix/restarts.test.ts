/** Nothing that is restarted, killed, lost or deleted cuts a flow that has no part in it. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSeedLab, pings, restarted, runContainer, signalMain } from '../../support/cluster.ts'
import { lostWhile } from '../../support/flow.ts'
import type { Losses } from '../../support/flow.ts'
import { ok, until } from '../../support/lab/lab.ts'
import type { Host, Lab } from '../../support/lab/lab.ts'

let lab: Lab
let host1: Host
let host2: Host
let host3: Host

beforeAll(async () => {
  lab = await createSeedLab(3)
  host1 = lab.host(1)
  host2 = lab.host(2)
  host3 = lab.host(3)
  await runContainer(host1, 'left')
  await runContainer(host2, 'right')
  await runContainer(host3, 'third', { args: ['--restart=always'] })
}, 180_000)

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
}, 60_000)

function flow(work: () => Promise<unknown>): Promise<Losses> {
  return lostWhile({ from: host1, container: 'left', to: host2, server: 'right' }, work)
}

async function everywhere(work: (host: Host) => Promise<unknown>): Promise<void> {
  await Promise.all(lab.hosts.map(work))
}

const nothing = { lost: 0, broken: false }

describe('a flow between two hosts loses nothing while, on all three,', () => {
  test.each(['KILL', 'TERM'])('routers end by SIG%s and are back by themselves', async (signal) => {
    const losses = await flow(() =>
      everywhere((host) => restarted(host, () => signalMain(host, 'weave', signal))),
    )
    expect(losses).toEqual(nothing)
  })

  test('routers are stopped, and launched again', async () => {
    const losses = await flow(() =>
      everywhere((host) =>
        restarted(host, async () => {
          await ok(host.weave('stop'))
          await ok(host.weave('launch'))
        }),
      ),
    )
    expect(losses).toEqual(nothing)
  })

  test.each(['KILL', 'TERM'])('plugins end by SIG%s, and serve again', async (signal) => {
    const losses = await flow(async () => {
      await everywhere(async (host) => {
        await signalMain(host, 'weaveplugin', signal)
        await runContainer(host, `after-${host.name}`)
      })
    })
    expect(losses).toEqual(nothing)
    await everywhere((host) => reachedAndRemoved(host, `after-${host.name}`))
  })

  test('containers beside them are restarted, killed and started again', async () => {
    const losses = await flow(() =>
      everywhere(async (host) => {
        const name = `beside-${host.name}`
        await runContainer(host, name)
        await ok(host.docker('restart', '-t', '0', name))
        await ok(host.docker('kill', name))
        await ok(host.docker('start', name))
      }),
    )
    expect(losses).toEqual(nothing)
    await everywhere((host) => reachedAndRemoved(host, `beside-${host.name}`))
  })
})

test('a container whose router dies while it is being started starts when the router is back', async () => {
  const losses = await flow(() =>
    restarted(host1, async () => {
      await signalMain(host1, 'weave', 'STOP')
      const starting = runContainer(host1, 'patient')
      await new Promise((resolve) => setTimeout(resolve, 1500))
      await signalMain(host1, 'weave', 'KILL')
      await starting
    }),
  )
  expect(losses).toEqual(nothing)
  await reachedAndRemoved(host1, 'patient')
})

describe('dockerd of a third host', () => {
  test.each(['stopDocker', 'killDocker'] as const)(
    '%s and start: its containers come back, and a flow of others loses nothing',
    async (end) => {
      const losses = await flow(async () => {
        await restarted(host3, async () => {
          await host3[end]()
          await host3.startDocker()
        })
      })
      expect(losses).toEqual(nothing)
      const isBack = await until(async () => pings(host1, 'left', 'third'), 60_000)
      expect(isBack).toBe(true)
      expect(await pings(host3, 'third', 'left')).toBe(true)
    },
  )
})

async function reachedAndRemoved(host: Host, container: string): Promise<void> {
  expect(await pings(host2, 'right', container)).toBe(true)
  expect(await pings(host, container, 'left')).toBe(true)
  await ok(host.docker('rm', '-f', container))
}
