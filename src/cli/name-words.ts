/** How the commands for names read their words: addresses, a container, a name, a network. */

import type { Command } from 'commander'
import { parseIp } from '../model/address.ts'
import type { IpAddress } from '../model/address.ts'
import { badArgument, badUsage } from '../model/faults.ts'
import { readName } from '../model/name.ts'
import { maxAddresses } from '../model/static-name.ts'
import { given } from '../settings/flags.ts'
import type { Flags } from '../settings/flags.ts'

export interface NameWords {
  readonly addresses: IpAddress[]
  readonly container?: string
  readonly name?: string
  readonly network?: string
}

/** As in Weave, `-h` is the name here, and help is `--help` alone. */
export function addNameOptions(command: Command, network: string): Command {
  return command
    .helpOption('--help', 'show this help')
    .argument('[words...]', 'IP addresses, and a container by its name or ID, in any order')
    .option('-h, --hostname <name>', 'the name, with or without our domain')
    .option('--net <network>', network)
}

/** @throws BAD_ARGUMENT, BAD_USAGE */
export function readNameWords(words: readonly string[], options: Flags): NameWords {
  const addresses = words.flatMap((word) => parseIp(word) ?? [])
  if (addresses.length > maxAddresses) {
    throw badUsage(
      `${addresses.length} addresses are too many at once`,
      `Give at most ${maxAddresses}, and the others with another command.`,
    )
  }
  const [container, other] = words.filter((word) => parseIp(word) === undefined)
  if (container !== undefined) refuseAlmostAddress(container)
  if (other !== undefined) {
    refuseAlmostAddress(other)
    throw badUsage(
      `"${container}" and "${other}" are both no IP addresses`,
      'Name one container; a name follows -h.',
    )
  }
  const name = given(options, 'hostname', readHostname)
  const network = given(options, 'net', readNetwork)
  return {
    addresses,
    ...(container === undefined ? {} : { container }),
    ...(name === undefined ? {} : { name }),
    ...(network === undefined ? {} : { network }),
  }
}

function readHostname(text: string): string {
  const name = readName(text)
  if (name !== undefined) return name
  const near = readName(text.replaceAll(/[^\w.]+/g, '-').replaceAll(/^[-.]+|[-.]+$/g, ''))
  const hint = near === undefined ? '' : ` Nearest: ${near}`
  throw badArgument(
    '-h',
    text,
    `Give labels of letters, digits, "-" and "_", at most 63 each, with dots between.${hint}`,
  )
}

function readNetwork(text: string): string {
  if (text !== '') return text
  throw badArgument('--net', text, 'Give the name or the ID of a Docker network.')
}

/** Neither a container's name nor an address: a slip in an address, or a length behind it. */
function refuseAlmostAddress(word: string): void {
  const isContainer = /^[A-Za-z0-9][\w.-]*$/.test(word) && !/^[\d.]+\.[\d.]*$/.test(word)
  if (isContainer) return
  const near = parseIp(word.replace(/\/\d*$/, ''))
  const hint = near === undefined ? '' : ` Nearest: ${near}`
  throw badArgument('address or container', word, `Give an IP address, or a container.${hint}`)
}
