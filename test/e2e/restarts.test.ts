/** Nothing that is restarted, killed, lost or deleted cuts a flow that has no part in it. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRouterClient } from '../../src/control/client.ts'
import { isEndpointId } from '../../src/model/cluster.ts'
import {
  addressOf,
  createSeedLab,
  pings,
  readStatus,
  restarted,
  runContainer,
  signalMain,
  storedKeys,
} from '../support/cluster.ts'
import { lostWhile } from '../support/flow.ts'
import type { Losses } from '../support/flow.ts'
import { ok, until } from '../support/lab/lab.ts'
import type { Host, Lab } from '../support/lab/lab.ts'

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
      expect(await until(() => pings(host1, 'left', 'third'), 60_000)).toBe(true)
      expect(await pings(host3, 'third', 'left')).toBe(true)
    },
  )
})

describe('while the store is away', () => {
  const id = 'e2e0'.repeat(16)

  test('flows go on, containers start and are reached, and are published once it is back', async () => {
    const [left] = (await readStatus(host1)).endpoints.filter(({ local }) => local)
    if (left === undefined) throw new Error('left is not there')
    const { network } = left
    const address = (await addressOf(host1, 'left')).replace(/\d+$/, '222')
    using router = createRouterClient({ socket: host1.path('/run/weave/weave.sock') })
    const call = { signal: AbortSignal.timeout(60_000) }
    if (!isEndpointId(id)) throw new Error(`${id} is no endpoint ID`)
    await ok(host1.docker('run', '-d', '--name=newcomer', '--net=none', 'ubuntu', 'sleep', '1000'))

    const losses = await flow(async () => {
      await lab.store.stop()
      expect(await until(async () => !(await readStatus(host1)).store.connected, 10_000)).toBe(true)
      // Docker itself starts no container without its cluster store: its part is played here.
      await router.putEndpoint(id, { network, addresses: [`${address}/24`] }, call)
      const { link } = await router.joinEndpoint(id, { sandbox: '' }, call)
      await moveIn(host1, 'newcomer', { link, address })
      expect(await pings(host1, 'newcomer', await addressOf(host2, 'right'))).toBe(true)
      expect(await pings(host2, 'right', address)).toBe(true)
      expect(await publishedOn(host2, id)).toBe(false)
      await lab.store.start()
    })
    expect(losses).toEqual(nothing)
    expect(await until(() => publishedOn(host2, id), 20_000)).toBe(true)
    expect((await readStatus(host1)).store.connected).toBe(true)
    await router.deleteEndpoint(id, call)
    await ok(host1.docker('rm', '-f', 'newcomer'))
    expect(await until(async () => !(await publishedOn(host2, id)), 10_000)).toBe(true)
  })
})

test('a store that has lost all its data is filled again, and nobody notices', async () => {
  const { cluster } = await readStatus(host1)
  const ids = await Promise.all([
    endpointOf(host1, 'left'),
    endpointOf(host2, 'right'),
    endpointOf(host3, 'third'),
  ])
  // What a dockerd that was killed has forgotten is not ours to bring back.
  const wanted = (await storedKeys(lab)).filter(
    (key) => !key.includes('/endpoints/') || ids.some((id) => key.endsWith(id)),
  )
  expect(wanted).toHaveLength(1 + lab.hosts.length + 1 + 1 + ids.length)

  const losses = await flow(async () => {
    await lab.store.stop()
    await ok(lab.hub.run('rm -rf /tmp/etcd'))
    await lab.store.start()
    const isFilled = await until(async () => {
      const now = new Set(await storedKeys(lab))
      return wanted.every((key) => now.has(key))
    }, 30_000)
    expect(isFilled).toBe(true)
  })
  expect(losses).toEqual(nothing)
  expect((await readStatus(host3)).cluster.id).toBe(cluster.id)
  expect(await pings(host1, 'left', await addressOf(host3, 'third'))).toBe(true)
})

async function endpointOf(host: Host, container: string): Promise<string> {
  const format = '{{.NetworkSettings.Networks.weave.EndpointID}}'
  return ok(host.docker('inspect', '-f', format, container))
}

async function reachedAndRemoved(host: Host, container: string): Promise<void> {
  expect(await pings(host2, 'right', container)).toBe(true)
  expect(await pings(host, container, 'left')).toBe(true)
  await ok(host.docker('rm', '-f', container))
}

async function publishedOn(host: Host, id: string): Promise<boolean> {
  return (await readStatus(host)).endpoints.some((endpoint) => endpoint.id === id)
}

/** What Docker does with the interface that a driver hands to it. */
async function moveIn(
  host: Host,
  container: string,
  { link, address }: { readonly link: string; readonly address: string },
): Promise<void> {
  const pid = await ok(host.docker('inspect', '-f', '{{.State.Pid}}', container))
  await ok(
    host.run(
      `ip link set ${link} netns ${pid} && nsenter -t ${pid} -n sh -ec '
         ip link set ${link} name ethwe0
         ip address add ${address}/24 dev ethwe0
         ip link set ethwe0 up'`,
    ),
  )
}
