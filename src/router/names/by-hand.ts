/**
 * Adds names by hand and removes them: checks what they are for, keeps them on this host's disk, and
 * forgets those of a container that is no more.
 *
 * Everything is checked before the first file is written. A name is a file of its own, called after
 * what it says: whoever dies between two of them is told to say it again, and may.
 *
 * The trap in forgetting is a container that is not known yet. So only the engine's own list decides,
 * asked for after the name was there: a container that was there when its name was added, and is not
 * in a later list, is gone.
 */

import { createHash } from 'node:crypto'
import type { NameFilter, NameSpec } from '../../control/messages.ts'
import type { Engine } from '../../docker/engine.ts'
import { isIpAddress } from '../../model/address.ts'
import { Fault } from '../../model/fault.ts'
import { badArgument, containerUnknown, networkUnknown } from '../../model/faults.ts'
import { isStaticNameId } from '../../model/static-name.ts'
import type { StaticNameId } from '../../model/static-name.ts'
import { planRemove, statements } from '../../naming/by-hand.ts'
import type { Said } from '../../naming/by-hand.ts'
import { inDomain } from '../../naming/called.ts'
import { readReverse } from '../../naming/reverse.ts'
import { createTurns } from '../../reconcile/turns.ts'
import type { Facts } from '../facts.ts'
import { hint, meantBy, tellApart } from './meant.ts'
import { findNetwork } from './network-meant.ts'
import type { NetworkSources } from './network-meant.ts'

export interface ByHand {
  /** @throws BAD_ARGUMENT, CONTAINER_UNKNOWN, NETWORK_UNKNOWN, ENGINE_UNREACHABLE */
  readonly add: (spec: NameSpec, signal: AbortSignal) => Promise<void>
  /** How many were removed; what is not there is no error. @throws BAD_ARGUMENT, ENGINE_UNREACHABLE */
  readonly remove: (filter: NameFilter, signal: AbortSignal) => Promise<number>
  /** Forgets what was added for containers that are gone; true if there was any. @throws ENGINE_UNREACHABLE */
  readonly prune: () => Promise<boolean>
}

export interface ByHandSources extends Omit<NetworkSources, 'engine'> {
  readonly facts: Facts
  readonly engine: Pick<Engine, 'containers' | 'networks'>
  readonly domain: string
  /** Whether the engine was seen to have it. */
  readonly hasContainer: (id: string) => boolean
  /** The names on the disk have changed; resolves when the endpoints here say so, too. */
  readonly onChange: () => Promise<void>
}

type Found = Pick<Said, 'network' | 'container'>

export function createByHand(sources: ByHandSources): ByHand {
  const { facts, engine, domain, onChange } = sources
  const turns = createTurns()
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    return turns.take('names', work)
  }
  return {
    async add({ name, addresses, ...place }, signal) {
      const said = {
        name: checkName(name, domain),
        addresses,
        ...(await find(place, sources, signal)),
      }
      await inTurn(async () => {
        for (const one of statements(said)) await set(one, facts)
      })
      await onChange()
    },
    async remove({ name, addresses, ...place }, signal) {
      const found = await find(place, sources, signal).catch(nothingThere)
      if (found === undefined) return 0
      const bare = name === undefined ? undefined : inDomain(name, domain)
      const count = await inTurn(async () => {
        const { gone, left } = planRemove(facts.staticNames.values(), {
          name: bare,
          addresses,
          ...found,
        })
        for (const one of left) await set(one, facts)
        for (const { id } of gone) await facts.deleteStaticName(id)
        return gone.length
      })
      if (count > 0) await onChange()
      return count
    },
    async prune() {
      const doubtful = [...facts.staticNames.values()].filter(
        ({ container }) => container !== undefined && !sources.hasContainer(container),
      )
      if (doubtful.length === 0) return false
      const there = new Set((await engine.containers()).map(({ id }) => id))
      const gone = doubtful.filter(({ container = '' }) => !there.has(container))
      for (const { id } of gone) await inTurn(() => facts.deleteStaticName(id))
      return gone.length > 0
    },
  }
}

async function set(said: Said, facts: Facts): Promise<void> {
  const id = idOf(said)
  if (!facts.staticNames.has(id)) await facts.setStaticName({ id, ...said })
}

function idOf({ name, addresses, network, container }: Said): StaticNameId {
  const text = JSON.stringify([name, addresses, network ?? '', container ?? ''])
  const id = createHash('sha256').update(text).digest('hex').slice(0, 32)
  if (isStaticNameId(id)) return id
  throw new Error(`not the ID of a name: ${id}`)
}

/** Names that nobody would ever be answered are refused. @throws BAD_ARGUMENT */
function checkName(name: string, domain: string): string {
  if (name === domain)
    throw badArgument('-h', name, `Put a name before the domain: NAME.${domain}.`)
  const bare = inDomain(name, domain)
  if (isIpAddress(bare)) throw badArgument('-h', name, 'Give a name; addresses stand without -h.')
  if (readReverse(bare) === undefined) return bare
  throw badArgument('-h', name, 'What an address is called follows from its name: add that.')
}

async function find(
  { container, network }: Pick<NameSpec, 'container' | 'network'>,
  sources: ByHandSources,
  signal: AbortSignal,
): Promise<Found> {
  return {
    container:
      container === undefined ? undefined : await findContainer(container, sources, signal),
    network: network === undefined ? undefined : await findNetwork(network, sources, signal),
  }
}

async function findContainer(
  text: string,
  { engine }: Pick<ByHandSources, 'engine'>,
  signal: AbortSignal,
): Promise<string> {
  const all = await engine.containers({ signal })
  const found = meantBy(text, all)
  const [one] = found
  if (one === undefined) throw containerUnknown(text, hint(text, all, 'docker ps --all'))
  if (found.length > 1) throw badArgument('container', text, tellApart(found))
  return one.id
}

/** What is for nothing that exists cannot be there. */
function nothingThere(error: unknown): undefined {
  const code = error instanceof Fault ? error.code : ''
  if (code === containerUnknown.code || code === networkUnknown.code) return undefined
  throw error
}
