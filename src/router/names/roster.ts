/**
 * Which containers does this host's engine have, and what are they called?
 *
 * Followed by events, read in full whenever the engine answers again. Containers are looked at when
 * they are made, not when they are started: the engine answers nothing about a container that it is
 * starting, and by then our answer may be wanted.
 *
 * Nothing here is a fact: while the engine is away the last that it said stands.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { readContainerFile } from '../../docker/container-file.ts'
import type { ContainerDetails, Engine } from '../../docker/engine.ts'
import type { EngineEvent } from '../../docker/events.ts'
import { defaultGateway, poolOf } from '../../model/pool.ts'
import { parsePrefix } from '../../model/prefix.ts'
import { nameContainer, shortId } from '../../naming/called.ts'
import { remember } from '../remember.ts'

export interface Roster {
  readonly containers: () => ReadonlyMap<string, ContainerDetails>
  /** The one that an endpoint belongs to, once it runs. */
  readonly withEndpoint: (id: string) => ContainerDetails | undefined
  /** The running one whose own network namespace this is. */
  readonly inSandbox: (path: string) => ContainerDetails | undefined
  /** The running one that has an address on any network of this engine. */
  readonly withAddress: (address: string) => ContainerDetails | undefined
  /** Where Docker's own first bridge is, which every container reaches unless it has no way out. */
  readonly bridgeAddress: () => string | undefined
  /** Whether the engine has told of all its containers. */
  readonly isRead: () => boolean
  /** The running one whose ID begins with these 12 digits. */
  readonly running: (container: string) => ContainerDetails | undefined
  /** Running containers that are called so in a network of the engine; their IDs, 12 hex digits each. */
  readonly called: (name: string, networkId: string) => readonly string[]
  /** Of the engine's network with this ID. */
  readonly networkName: (dockerId: string) => string | undefined
  /**
   * One that is being started: from the engine's own file, for it answers nothing about it now and may have
   * changed since it last did; else as known; else by its name alone, as the engine lists it.
   */
  readonly find: (id: string, signal: AbortSignal) => Promise<ContainerDetails | undefined>
  /** Follows the engine until the signal aborts. */
  readonly follow: (signal: AbortSignal) => Promise<void>
}

export interface RosterSources {
  readonly engine: Pick<Engine, 'info' | 'container' | 'containers' | 'networks' | 'events'>
  readonly onChange: () => void
}

/** How many containers the engine is asked about at the same time. */
const atOnce = 4
/** When it answers, but not to everything: it is starting. */
const attempts = 5
const retryMs = 1000
const dockerBridge = 'bridge'
const filters = {
  type: ['container', 'network'],
  event: ['create', 'start', 'rename', 'destroy', 'connect', 'disconnect', 'remove'],
}

export function createRoster({ engine, onChange }: RosterSources): Roster {
  const known = createKnown(onChange)
  const look = createLook(engine, known)

  async function lookAtAll(signal: AbortSignal): Promise<void> {
    const [{ directory }, listed, networks] = await Promise.all([
      engine.info({ signal }),
      engine.containers({ signal }),
      engine.networks({ signal }),
    ])
    for (const { id, name } of networks) known.networkNames.set(id, name)
    known.setEngine({ directory, bridge: findBridge(networks) })
    known.keepOnly(new Set(listed.map(({ id }) => id)))
    const waiting = listed.map(({ id }) => id)
    async function work(): Promise<void> {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) await look(id, signal)
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    known.setRead()
  }

  function hear(event: EngineEvent, signal: AbortSignal): void {
    const { type, action, id, attributes } = event
    if (type === 'network' && (action === 'create' || action === 'connect')) {
      known.networkNames.set(id, attributes['name'] ?? '')
    }
    if (type === 'network' && action === 'destroy') known.networkNames.delete(id)
    if (type === 'container' && action === 'destroy') return known.note(id, undefined)
    const container = type === 'container' ? id : attributes['container']
    if (container !== undefined) void look(container, signal)
  }

  return {
    ...known.read,
    async find(id, signal) {
      return (
        (await readContainerFile(known.directory(), id)) ??
        known.read.containers().get(id) ??
        (await findInList(engine, id, signal))
      )
    },
    async follow(signal) {
      function onOpen(): void {
        void insist(() => lookAtAll(signal), signal)
      }
      for await (const event of engine.events({ signal, filters, onOpen })) hear(event, signal)
    },
  }
}

/** Engines up to 20.10 do not say it before their second start; it is the first address then. */
function findBridge(
  networks: Awaited<ReturnType<RosterSources['engine']['networks']>>,
): string | undefined {
  const [ipam] = networks.find(({ name }) => name === dockerBridge)?.settings.ipam ?? []
  if (ipam?.gateway !== undefined) return ipam.gateway
  const subnet = parsePrefix(ipam?.subnet ?? '')
  const pool = subnet === undefined ? undefined : poolOf('local', subnet)
  return pool === undefined ? undefined : defaultGateway(pool)
}

interface EngineFacts {
  /** Where it keeps everything. */
  readonly directory: string
  /** The address of its own first bridge. */
  readonly bridge: string | undefined
}

interface Known {
  readonly read: Omit<Roster, 'find' | 'follow'>
  readonly networkNames: Map<string, string>
  readonly directory: () => string
  readonly setEngine: (engine: EngineFacts) => void
  /** All that the engine has is known now. */
  readonly setRead: () => void
  readonly note: (id: string, found: ContainerDetails | undefined) => void
  readonly keepOnly: (ids: ReadonlySet<string>) => void
}

function createKnown(onChange: () => void): Known {
  const containers = new Map<string, ContainerDetails>()
  const networkNames = new Map<string, string>()
  const index = remember(() => createIndex(containers.values()))
  let version = 0
  let facts: EngineFacts = { directory: '', bridge: undefined }
  let isRead = false
  function change(): void {
    version += 1
    onChange()
  }
  return {
    read: {
      containers: () => containers,
      withEndpoint: (id) => index(String(version)).endpoints.get(id),
      inSandbox: (path) => index(String(version)).sandboxes.get(path),
      withAddress: (address) => index(String(version)).addresses.get(address),
      bridgeAddress: () => facts.bridge,
      isRead: () => isRead,
      running: (container) => index(String(version)).running.get(container),
      called: (name, networkId) => index(String(version)).names.get(`${networkId}/${name}`) ?? [],
      networkName: (dockerId) => networkNames.get(dockerId),
    },
    networkNames,
    directory: () => facts.directory,
    setEngine(found) {
      facts = found
    },
    setRead() {
      isRead = true
      change()
    },
    note(id, found) {
      if (found === undefined) containers.delete(id)
      else containers.set(id, found)
      change()
    },
    keepOnly(ids) {
      for (const id of containers.keys()) if (!ids.has(id)) containers.delete(id)
      change()
    },
  }
}

/** One question at a time about each container; what happens meanwhile is asked about afterwards. */
function createLook(
  engine: Pick<Engine, 'container'>,
  known: Known,
): (id: string, signal: AbortSignal) => Promise<void> {
  const asked = new Map<string, { again: boolean }>()
  return async (id, signal) => {
    const before = asked.get(id)
    if (before !== undefined) {
      before.again = true
      return
    }
    const question = { again: true }
    asked.set(id, question)
    while (question.again && !signal.aborted) {
      question.again = false
      try {
        known.note(id, await engine.container(id, { signal }))
      } catch {
        // Its start took longer than a question may, and is an event of its own; or the engine is away.
      }
    }
    asked.delete(id)
  }
}

function createIndex(containers: Iterable<ContainerDetails>): {
  readonly endpoints: ReadonlyMap<string, ContainerDetails>
  readonly sandboxes: ReadonlyMap<string, ContainerDetails>
  readonly addresses: ReadonlyMap<string, ContainerDetails>
  /** By network and name. */
  readonly names: ReadonlyMap<string, readonly string[]>
  /** By the first digits of the ID. */
  readonly running: ReadonlyMap<string, ContainerDetails>
} {
  const endpoints = new Map<string, ContainerDetails>()
  const sandboxes = new Map<string, ContainerDetails>()
  const byAddress = new Map<string, ContainerDetails>()
  const names = new Map<string, string[]>()
  const running = new Map<string, ContainerDetails>()
  for (const container of containers) {
    const isUp = container.pid > 0
    if (isUp) {
      sandboxes.set(container.sandbox, container)
      running.set(shortId(container.id), container)
    }
    // One that ended with its engine still shows the endpoint that it had.
    for (const attachment of isUp ? container.attachments : []) {
      endpoints.set(attachment.endpointId, container)
      for (const address of attachment.addresses) byAddress.set(address, container)
      for (const name of namesIn(container, attachment)) {
        const key = `${attachment.networkId}/${name}`
        names.set(key, [...(names.get(key) ?? []), shortId(container.id)])
      }
    }
  }
  endpoints.delete('')
  sandboxes.delete('')
  return { endpoints, sandboxes, addresses: byAddress, names, running }
}

function namesIn(
  container: ContainerDetails,
  attachment: ContainerDetails['attachments'][number],
): readonly string[] {
  return nameContainer(container, attachment, { domain: '' }).names
}

async function insist(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; attempt <= attempts && !signal.aborted; attempt += 1) {
    try {
      return await work()
    } catch {
      await sleep(retryMs, undefined, { signal }).catch(() => {})
    }
  }
}

/** The list needs no lock, so it is answered during a start, too. */
async function findInList(
  engine: RosterSources['engine'],
  id: string,
  signal: AbortSignal,
): Promise<ContainerDetails | undefined> {
  const listed = await engine.containers({ signal }).catch(() => [])
  const found = listed.find((one) => one.id === id)
  if (found === undefined) return undefined
  const attachments = found.attachments.map(({ network, networkId, endpointId }) => {
    return { network, networkId, endpointId, addresses: [], aliases: [] }
  })
  const unknown = { hostname: '', domainname: '', pid: 0, sandbox: '' }
  return { ...unknown, id, name: found.name, attachments }
}
