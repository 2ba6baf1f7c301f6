import fc from 'fast-check'
import { expect, test } from 'vitest'
import { endpointId, ifIndex, ip, mac, networkId, vni } from '../../test/support/values.ts'
import type { IfIndex, IpAddress, Mac } from '../model/address.ts'
import { hostEndName } from './names.ts'
import type { Destination, Segment } from './segment.ts'
import { planTables } from './tables.ts'
import type { ActualTables, TableStep } from './tables.ts'

const bridge = ifIndex(10)
const tunnel = ifIndex(11)
const port = ifIndex(12)
const web = endpointId('web')
const links = new Map([
  ['wvb000a1f', bridge],
  ['wvx000a1f', tunnel],
  [hostEndName(web), port],
])
const host2: Destination = { address: ip('192.0.2.2'), port: 6784 }
const host3: Destination = { address: ip('192.0.2.3'), port: 6784 }
const base: Segment = {
  network: networkId('net'),
  vni: vni(0xa1f),
  mtuBytes: 1450,
  local: [],
  remote: [],
  flood: [],
}

/** A kernel of maps: takes steps as the real one would, and shows what `observe` would see. */
function createKernel(): {
  readonly tables: ActualTables
  readonly take: (step: TableStep) => void
} {
  const neighbours = new Map<IpAddress, Mac>()
  const ports = new Map<IfIndex, Set<Mac>>([
    [tunnel, new Set()],
    [port, new Set()],
  ])
  const hosts = new Map<Mac, Destination>()
  const flood: Destination[] = []
  function take(step: TableStep): void {
    switch (step.kind) {
      case 'set-remote':
        hosts.set(step.mac, step.via)
        ports.get(tunnel)?.add(step.mac)
        break
      case 'delete-remote':
        hosts.delete(step.mac)
        ports.get(tunnel)?.delete(step.mac)
        break
      case 'add-flood':
        flood.push(step.via)
        break
      case 'delete-flood':
        flood.splice(
          flood.findIndex(({ address }) => address === step.via.address),
          1,
        )
        break
      case 'set-port-mac':
        ports.get(step.port)?.add(step.mac)
        break
      case 'delete-port-mac':
        ports.get(step.port)?.delete(step.mac)
        break
      case 'set-neighbour':
        neighbours.set(step.ip, step.mac)
        break
      case 'delete-neighbour':
        neighbours.delete(step.ip)
        break
    }
  }
  return {
    tables: {
      links,
      ipv6: new Set([bridge]),
      neighbours: new Map([[bridge, neighbours]]),
      ports,
      tunnels: new Map([[tunnel, { hosts, flood }]]),
    },
    take,
  }
}

const remoteMacs = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03'].map(mac)

/** As in a network of both families. */
function both(last: number): IpAddress[] {
  return [ip(`10.32.0.${last}`), ip(`fd00::${last}`)]
}

const anySegment = fc
  .record({
    via: fc.array(fc.constantFrom(undefined, host2, host3), { minLength: 3, maxLength: 3 }),
    local: fc.boolean(),
  })
  .map(({ via, local }): Segment => ({
    ...base,
    local: local
      ? [
          {
            id: web,
            network: base.network,
            mac: mac('02:00:00:00:00:09'),
            addresses: both(9),
            phase: 'joined',
          },
        ]
      : [],
    remote: remoteMacs.flatMap((address, index) => {
      const host = via[index]
      return host === undefined ? [] : [{ mac: address, addresses: both(index + 1), via: host }]
    }),
    flood: [...new Set(via.filter((host) => host !== undefined))],
  }))

test('from any tables to any segment in two passes, whatever order the steps are taken in', () => {
  fc.assert(
    fc.property(anySegment, anySegment, fc.boolean(), (before, after, backwards) => {
      const kernel = createKernel()
      for (const segment of [before, before, after, after]) {
        const steps = planTables([segment], kernel.tables)
        for (const step of backwards ? steps.toReversed() : steps) kernel.take(step)
      }
      expect(planTables([after], kernel.tables)).toEqual([])
    }),
  )
})

test('a neighbour is announced only once its MAC has somewhere to go', () => {
  const remote = [{ mac: mac('02:00:00:00:00:01'), addresses: [ip('10.32.0.1')], via: host2 }]
  const kernel = createKernel()
  const first = planTables([{ ...base, remote }], kernel.tables)
  expect(first.map(({ kind }) => kind)).toEqual(['set-remote'])
  for (const step of first) kernel.take(step)
  expect(planTables([{ ...base, remote }], kernel.tables)).toMatchObject([
    { kind: 'set-neighbour' },
  ])
})

test('a bridge without IPv6 is given no IPv6 neighbour, and the others all the same', () => {
  const remote = [{ mac: mac('02:00:00:00:00:01'), addresses: both(1), via: host2 }]
  const kernel = createKernel()
  const tables = { ...kernel.tables, ipv6: new Set<IfIndex>() }
  for (const step of planTables([{ ...base, remote }], tables)) kernel.take(step)
  const steps = planTables([{ ...base, remote }], tables)
  expect(steps).toMatchObject([{ kind: 'set-neighbour', ip: ip('10.32.0.1') }])
  for (const step of steps) kernel.take(step)
  expect(planTables([{ ...base, remote }], tables)).toEqual([])
})

test('a network whose links are not there yet plans nothing', () => {
  const { tables } = createKernel()
  const remote = [{ mac: mac('02:00:00:00:00:01'), addresses: [ip('10.32.0.1')], via: host2 }]
  expect(planTables([{ ...base, remote }], { ...tables, links: new Map() })).toEqual([])
})
