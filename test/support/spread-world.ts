/**
 * Hosts, engines and a store in memory, for the plan that spreads networks: who does what and when is
 * up to the test, down to a router that dies between acting and writing down that it has.
 */

import { definitionId } from '../../src/model/definition.ts'
import type { Definition, DefinitionId, NetworkSettings } from '../../src/model/definition.ts'
import { planSpread } from '../../src/spread/plan.ts'
import type {
  Adopted,
  Cluster,
  EngineNetwork,
  Outlook,
  Shared,
  SpreadStep,
} from '../../src/spread/plan.ts'

export interface World {
  readonly hosts: readonly SpreadHost[]
  readonly shared: () => ReadonlyMap<DefinitionId, Shared>
  /** The store starts anew, empty; whoever knew its records holds them for a while. */
  readonly loseStore: () => void
  /** Passes on all hosts until none has anything to do. @throws when that does not happen */
  readonly settle: () => void
}

export interface SpreadHost {
  readonly networks: () => readonly EngineNetwork[]
  /** As `docker network create` and `rm`; false where Docker would refuse. */
  readonly create: (name: string, settings: NetworkSettings) => boolean
  readonly remove: (name: string) => boolean
  /** A container that is on a network, until `empty`. */
  readonly use: (name: string) => void
  readonly empty: () => void
  readonly loseEngine: () => void
  readonly loseMemory: () => void
  readonly cut: () => void
  readonly mend: () => void
  /** What the store lost is held no longer. */
  readonly release: () => void
  /** The router starts anew, and holds nothing: it knows of no loss. */
  readonly restart: () => void
  /** One pass; `dies`: the router ends before it has written down what it did. */
  readonly pass: (how?: 'lives' | 'dies') => void
  readonly outlook: () => readonly Outlook[]
  readonly adopted: () => ReadonlyMap<DefinitionId, Adopted>
}

const driver = 'weave'
const drivers = new Set([driver])

interface StoreState {
  records: Map<DefinitionId, Shared>
  /** What was ever put since the store began: views see each change, so they hold it no more. */
  told: Set<DefinitionId>
  epoch: number
  revision: bigint
}

interface HostState {
  engine: number
  networks: EngineNetwork[]
  adopted: Map<DefinitionId, Adopted>
  used: Set<string>
  isCut: boolean
  view: { shared: Map<DefinitionId, Shared>; epoch: number; revision: bigint }
}

export function createWorld(count: number): World {
  const store: StoreState = { records: new Map(), told: new Set(), epoch: 1, revision: 1n }
  const next = createCounter()
  const hosts = Array.from({ length: count }, () => createSpreadHost(store, next))
  return {
    hosts,
    shared: () => store.records,
    loseStore() {
      store.records = new Map()
      store.told = new Set()
      store.epoch += 1
      store.revision = 1n
    },
    settle() {
      for (let round = 0; round < 40; round += 1) {
        for (const host of hosts) host.pass()
        if (hosts.every((host) => host.outlook().every(({ step }) => step === undefined))) return
      }
      throw new Error(
        `never settles: ${JSON.stringify(
          hosts.map((host) => host.outlook()),
          show,
        )}`,
      )
    },
  }
}

function show(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

function createCounter(): () => string {
  let count = 0
  return () => (count += 1).toString(16).padStart(32, '0')
}

function createSpreadHost(store: StoreState, next: () => string): SpreadHost {
  const host: HostState = {
    engine: 1,
    networks: [],
    adopted: new Map(),
    used: new Set(),
    isCut: false,
    view: { shared: new Map(), epoch: 1, revision: 1n },
  }
  function newEngine(): void {
    host.engine = Number.parseInt(next(), 16)
    host.used.clear()
    host.networks = [...foreignNetworks]
  }
  newEngine()
  function outlook(): readonly Outlook[] {
    catchUp(host, store)
    const { networks, adopted, used, view } = host
    const { shared, revision } = view
    const cluster: Cluster = { shared, epoch: String(view.epoch), revision, drivers }
    const use = { bound: used, named: new Set<string>() }
    return planSpread(cluster, { engine: String(host.engine), networks, adopted, used: use })
  }
  return {
    ...userOf(host, next),
    outlook,
    adopted: () => host.adopted,
    loseEngine: newEngine,
    loseMemory: () => host.adopted.clear(),
    cut: () => (host.isCut = true),
    mend: () => (host.isCut = false),
    release() {
      for (const [id, { held }] of host.view.shared) if (held) host.view.shared.delete(id)
    },
    restart() {
      if (!host.isCut) host.view = { shared: new Map(), epoch: store.epoch, revision: 0n }
    },
    pass(how = 'lives') {
      const steps = outlook().flatMap(({ step }) => step ?? [])
      for (const step of steps) takeStep(step, { host, store, next, dies: how === 'dies' })
    },
  }
}

const foreignNetworks: readonly EngineNetwork[] = [
  networkOf('none', 'null', { ipamDriver: 'default' }),
  networkOf('mine', driver, { ipamDriver: 'default' }),
  networkOf('app', 'macvlan', { ipamDriver: 'default' }),
]

function userOf(
  host: HostState,
  next: () => string,
): Pick<SpreadHost, 'networks' | 'create' | 'remove' | 'use' | 'empty'> {
  function find(name: string): EngineNetwork | undefined {
    return host.networks.find((network) => network.name === name && network.driver === driver)
  }
  return {
    networks: () => host.networks,
    create(name, settings) {
      if (host.networks.some((network) => network.name === name)) return false
      host.networks = [...host.networks, { id: next(), name, driver, scope: 'local', settings }]
      return true
    },
    remove(name) {
      const network = find(name)
      if (network === undefined || host.used.has(network.id)) return false
      host.networks = host.networks.filter((one) => one !== network)
      return true
    },
    use(name) {
      const network = find(name)
      if (network !== undefined) host.used.add(network.id)
    },
    empty: () => host.used.clear(),
  }
}

/** What a connected view does: it knows what the store has, and holds what the store has lost. */
function catchUp(host: HostState, store: StoreState): void {
  if (host.isCut) return
  const { view } = host
  const isNew = view.epoch !== store.epoch
  const held = [...view.shared].filter(
    ([id, one]) => (isNew || one.held === true) && !store.told.has(id),
  )
  const lost = held.map(
    ([id, { definition }]) => [id, { definition, revision: 0n, held: true }] as const,
  )
  const shared = new Map<DefinitionId, Shared>([...lost, ...store.records])
  host.view = { shared, epoch: store.epoch, revision: store.revision }
}

interface Taking {
  readonly host: HostState
  readonly store: StoreState
  readonly next: () => string
  readonly dies: boolean
}

function takeStep(step: SpreadStep, taking: Taking): void {
  const { host, next } = taking
  switch (step.kind) {
    case 'share': {
      const { id, name, settings } = step.network
      const definition = { driver, name, generation: next(), ...settings }
      if (put(step.id, definition, taking)) adopt(definition, id, taking)
      return
    }
    case 'share-again': {
      const before = host.adopted.get(step.id)
      const isPut = put(step.id, step.definition, taking)
      if (isPut && before !== undefined) adopt(step.definition, before.dockerId, taking)
      return
    }
    case 'create': {
      const { name, generation: _generation, ...settings } = step.definition
      const network = { id: next(), name, driver, scope: 'local', settings }
      host.networks = [...host.networks, network]
      adopt(step.definition, network.id, taking)
      return
    }
    case 'adopt':
      adopt(step.definition, step.dockerId, taking)
      return
    case 'withdraw':
      withdraw(step, taking)
      return
    case 'forget':
      host.adopted.delete(step.id)
      return
    case 'remove':
      if (host.used.has(step.dockerId)) throw new Error('removed a network that is in use')
      host.networks = host.networks.filter(({ id }) => id !== step.dockerId)
  }
}

function adopt(definition: Definition, dockerId: string, { host, dies }: Taking): void {
  const id = definitionId(definition)
  if (dies || id === undefined) return
  const engine = String(host.engine)
  const { epoch, revision } = host.view
  host.adopted.set(id, { definition, dockerId, engine, epoch: String(epoch), revision })
}

function withdraw(
  { id, revision }: { readonly id: DefinitionId; readonly revision: bigint },
  { host, store }: Taking,
): void {
  if (host.isCut || store.records.get(id)?.revision !== revision) return
  store.revision += 1n
  store.records.delete(id)
}

function put(id: DefinitionId, definition: Definition, { host, store }: Taking): boolean {
  if (host.isCut || store.records.has(id)) return false
  store.revision += 1n
  store.told.add(id)
  store.records.set(id, { definition, revision: store.revision })
  host.view = { ...host.view, revision: store.revision }
  return true
}

export function settingsOf(subnet: string, more: Partial<NetworkSettings> = {}): NetworkSettings {
  return {
    ipamDriver: driver,
    ipamOptions: {},
    ipam: [{ subnet }],
    options: {},
    labels: {},
    internal: false,
    attachable: false,
    ipv4: true,
    ipv6: false,
    ...more,
  }
}

function networkOf(name: string, its: string, settings: Partial<NetworkSettings>): EngineNetwork {
  const all = settingsOf('172.17.0.0/16', settings)
  return { id: `foreign-${name}`, name, driver: its, scope: 'local', settings: all }
}

export function idOf(name: string): DefinitionId {
  const id = definitionId({ driver, name })
  if (id === undefined) throw new Error(`${name} is no name for a definition`)
  return id
}
