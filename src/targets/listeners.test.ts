import { expect, test } from 'vitest'
import type { DnsServer } from '../dns/server.ts'
import { createListeners, planListeners } from './listeners.ts'
import type { Places } from './listeners.ts'

const signal = AbortSignal.timeout(60_000)

test.each([
  ['none', { host: '127.0.0.2' }, {}, ['open host 127.0.0.2']],
  ['the same', { host: '127.0.0.2' }, { host: '127.0.0.2' }, []],
  ['another address', { host: '127.0.0.2' }, { host: '127.0.0.3' }, ['close host 127.0.0.3']],
  ['one too many', {}, { bridge: '172.17.0.1' }, ['close bridge 172.17.0.1']],
])('with %s open', (_what, desired, actual, steps) => {
  const planned = planListeners(places(desired), places(actual))
  expect(planned.map(({ kind, listener, address }) => `${kind} ${listener} ${address}`)).toEqual(
    steps,
  )
})

test('an address that cannot be had is a fault that names it, and is tried again', async () => {
  let refusals = 1
  const opened: string[] = []
  await using listeners = createListeners({
    desired: () => places({ host: '127.0.0.2' }),
    async open(_listener, address) {
      refusals -= 1
      if (refusals >= 0) throw new Error('bind EADDRINUSE')
      opened.push(address)
      return server
    },
  })
  const step = { kind: 'open', listener: 'host', address: '127.0.0.2' } as const
  const [failure] = await listeners.target.apply([step], signal)
  expect(failure?.cause).toMatchObject({ code: 'DNS_LISTEN_FAILED' })
  expect(String(failure?.cause)).toContain('127.0.0.2, port 53: bind EADDRINUSE')
  expect(listeners.places().size).toBe(0)

  expect(await listeners.target.apply([step], signal)).toEqual([])
  expect(opened).toEqual(['127.0.0.2'])
  expect(await listeners.target.observe(signal)).toEqual(places({ host: '127.0.0.2' }))
})

const server: DnsServer = {
  udp: { address: '127.0.0.2', port: 53 },
  tcp: { address: '127.0.0.2', port: 53 },
  counters: () => ({ asked: 0, ours: 0, passed: 0, refused: 0, failed: 0, dropped: 0 }),
  [Symbol.asyncDispose]: async () => {},
}

function places(record: { readonly host?: string; readonly bridge?: string }): Places {
  const { host, bridge } = record
  return new Map([
    ...(host === undefined ? [] : [['host', host] as const]),
    ...(bridge === undefined ? [] : [['bridge', bridge] as const]),
  ])
}
