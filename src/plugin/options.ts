/**
 * What the user wrote after `-o` of `docker network create`, understood or refused.
 *
 * Pure. Three kinds of keys:
 *   ours          weave.…, works.weave.…: known, or refused with the nearest known one
 *   of Docker     com.docker.network.…: the MTU is ours too, the rest is for Docker or other drivers
 *   of others     accepted, because compose files carry them around; with a note for the log
 *
 * One exception: `encrypted` asks for something that we do not do, and must not seem to be done.
 */

import { isNetworkId, isRecord } from '../model/cluster.ts'
import type { NetworkId } from '../model/cluster.ts'
import { segmentOption } from '../model/definition.ts'
import { badNetworkOption, badRequest } from '../model/faults.ts'
import { nearest } from '../settings/nearest.ts'

export interface NetworkOptions {
  readonly mtuBytes?: number
  readonly multicast: boolean
  /** Local scope: the network's name in the whole cluster. */
  readonly name?: NetworkId
  /** What was accepted and has no effect, in words for the log. */
  readonly notes: readonly string[]
}

/** Where dockerd puts what was written after `-o`. */
const genericKey = 'com.docker.network.generic'

const multicastOption = 'works.weave.multicast'
export const mtuOption = 'com.docker.network.driver.mtu'
const ourMtuOption = 'weave.mtu'
const ours = [multicastOption, ourMtuOption, segmentOption]
const ourPrefix = /^(?:works\.)?weave\./

/** 576 is IPv4's least (RFC 791), 65535 the kernel's most. */
const mtuRange = { min: 576, max: 65_535 }

/** As Go's strconv.ParseBool, which Docker's own drivers use; empty means "given, so yes". */
const truths = new Map([
  ...['', '1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
])

/**
 * @param options the whole Options of a CreateNetwork request
 * @throws Fault BAD_NETWORK_OPTION that names the option; BAD_REQUEST when it is no set of texts
 */
export function readNetworkOptions(options: Readonly<Record<string, unknown>>): NetworkOptions {
  const given = readGeneric(options[genericKey])
  const mtuBytes = readMtu(given)
  const name = given.get(segmentOption)
  return {
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
    ...(name === undefined ? {} : { name: readName(name) }),
    multicast: given.has(multicastOption) && readTruth(multicastOption, given),
    notes: [...given.keys()].flatMap((key) => judgeKey(key, given)),
  }
}

function readGeneric(value: unknown): ReadonlyMap<string, string> {
  if (value === undefined || value === null) return new Map()
  if (!isRecord(value)) throw badRequest(`Options.${genericKey}: not a set of options`)
  return new Map(
    Object.entries(value).map(([key, text]) => {
      if (typeof text === 'string') return [key, text]
      if (typeof text === 'boolean' || typeof text === 'number') return [key, String(text)]
      throw badRequest(`Options.${genericKey}.${key}: not a text`)
    }),
  )
}

function readMtu(given: ReadonlyMap<string, string>): number | undefined {
  const [first, second] = [mtuOption, ourMtuOption].flatMap((key) => {
    const text = given.get(key)
    return text === undefined ? [] : [{ key, value: readMtuValue(key, text) }]
  })
  if (first !== undefined && second !== undefined && first.value !== second.value) {
    throw badNetworkOption(second.key, `${second.value}, but ${first.key} says ${first.value}`)
  }
  return first?.value
}

function readMtuValue(key: string, text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (value >= mtuRange.min && value <= mtuRange.max) return value
  throw badNetworkOption(
    key,
    `${JSON.stringify(text)} is not a whole number from ${mtuRange.min} to ${mtuRange.max}`,
  )
}

function readTruth(key: string, given: ReadonlyMap<string, string>): boolean {
  const text = given.get(key) ?? ''
  const value = truths.get(text)
  if (value !== undefined) return value
  throw badNetworkOption(key, `${JSON.stringify(text)} is neither true nor false`)
}

function readName(text: string): NetworkId {
  if (isNetworkId(text)) return text
  throw badNetworkOption(
    segmentOption,
    `${JSON.stringify(text)} is no name: letters, digits, "_", "." and "-", up to 128`,
  )
}

/** Refuses a key, or says what is to be noted about it. */
function judgeKey(key: string, given: ReadonlyMap<string, string>): readonly string[] {
  if (ours.includes(key) || key === mtuOption) return []
  if (ourPrefix.test(key)) {
    const meant = nearest(key, ours) ?? nearestByLastWord(key)
    throw badNetworkOption(
      key,
      meant === undefined
        ? `not known; known are ${ours.join(', ')}`
        : `not known (did you mean ${meant}?)`,
    )
  }
  if (key === 'encrypted' && readTruth(key, given)) {
    throw badNetworkOption(key, 'this driver cannot encrypt a single network')
  }
  return [`network option ${key} has no effect with this driver`]
}

/** `weave.multicast` for `works.weave.multicast`. */
function nearestByLastWord(key: string): string | undefined {
  const word = lastWord(key)
  const meant = nearest(word, ours.map(lastWord))
  return ours.find((one) => lastWord(one) === meant)
}

function lastWord(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1)
}
