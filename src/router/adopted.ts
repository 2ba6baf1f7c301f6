/**
 * What this host must remember to spread networks: which of its engine's networks are the cluster's,
 * and which drivers in local scope serve its engine.
 *
 * Both survive a power cut. Without the first, a network that a user removed while we were down would
 * come back; without the second, a router would have to wait for its plugin before it could act.
 */

import { openShelf } from '../disk/shelf.ts'
import { isRecord } from '../model/cluster.ts'
import type { NetworkId } from '../model/cluster.ts'
import {
  definitionId,
  isDefinition,
  isDefinitionId,
  isDriverName,
  segmentOf,
} from '../model/definition.ts'
import type { Definition, DefinitionId } from '../model/definition.ts'
import type { Paths } from '../settings/paths.ts'
import type { Adopted } from '../spread/plan.ts'
import { remember } from './remember.ts'

export interface Adoptions {
  readonly all: () => ReadonlyMap<DefinitionId, Adopted>
  readonly set: (id: DefinitionId, adopted: Adopted) => Promise<void>
  readonly delete: (id: DefinitionId) => Promise<void>
  /** What those networks are in the cluster, whether a container is on them or not. */
  readonly segments: () => ReadonlySet<NetworkId>
}

export interface Drivers {
  /** Names of those in local scope. */
  readonly local: () => ReadonlySet<string>
  /** Whether that is news. */
  readonly put: (driver: Driver) => Promise<boolean>
}

export interface Driver {
  readonly name: string
  readonly scope: 'global' | 'local'
}

/** As on the disk: JSON has no bigint. */
interface Kept extends Omit<Adopted, 'revision'> {
  readonly revision: string
}

type OnSetAside = (problem: string) => void

export async function openAdoptions(paths: Paths, onSetAside: OnSetAside): Promise<Adoptions> {
  const shelf = await openShelf<string, Kept>({
    folder: paths.adoptedDir,
    asideFolder: paths.asideDir,
    isId: isFileName,
    isValue: isKept,
    survives: 'power-cut',
    onSetAside,
  })
  const all = new Map<DefinitionId, Adopted>()
  for (const { revision, ...kept } of shelf.all.values()) {
    const id = definitionId(kept.definition)
    if (id !== undefined) all.set(id, { ...kept, revision: BigInt(revision) })
  }
  let version = 0
  const segments = remember(
    () => new Set([...all.values()].flatMap(({ definition }) => segmentOf(definition) ?? [])),
  )
  return {
    all: () => all,
    segments: () => segments(String(version)),
    async set(id, adopted) {
      await shelf.set(fileNameOf(id), { ...adopted, revision: String(adopted.revision) })
      all.set(id, adopted)
      version += 1
    },
    async delete(id) {
      await shelf.delete(fileNameOf(id))
      all.delete(id)
      version += 1
    },
  }
}

export async function openDrivers(paths: Paths, onSetAside: OnSetAside): Promise<Drivers> {
  const shelf = await openShelf<string, Driver>({
    folder: paths.driversDir,
    asideFolder: paths.asideDir,
    isId: isDriverName,
    isValue: isDriver,
    survives: 'power-cut',
    onSetAside,
  })
  return {
    local: () => new Set([...shelf.all.values()].filter(isLocal).map(({ name }) => name)),
    async put(driver) {
      const isNews = shelf.all.get(driver.name)?.scope !== driver.scope
      if (isNews) await shelf.set(driver.name, driver)
      return isNews
    },
  }
}

/** The slash of an ID becomes a plus, which no ID has. */
function fileNameOf(id: DefinitionId): string {
  return id.replace('/', '+')
}

function isFileName(value: unknown): value is string {
  return typeof value === 'string' && isDefinitionId(value.replace('+', '/'))
}

function isKept(value: unknown): value is Kept {
  return (
    isRecord(value) &&
    isNamed(value['definition']) &&
    ['dockerId', 'engine', 'epoch', 'revision'].every((key) => typeof value[key] === 'string') &&
    /^\d+$/.test(String(value['revision']))
  )
}

function isNamed(value: unknown): value is Definition {
  return isDefinition(value) && definitionId(value) !== undefined
}

function isDriver(value: unknown): value is Driver {
  if (!isRecord(value) || !isDriverName(value['name'])) return false
  return value['scope'] === 'local' || value['scope'] === 'global'
}

function isLocal({ scope }: Driver): boolean {
  return scope === 'local'
}
