/**
 * The filter tables of iptables, for IPv4 and IPv6.
 *
 * The trap: iptables exists twice, over nftables and as "legacy", and the two do not see each other's
 * rules, but a packet passes both. Whichever Docker uses may drop it, so ours must stand in both; in
 * the legacy one only where it is in use, for otherwise every packet would start to pass it.
 */

import { readFile } from 'node:fs/promises'
import { filterFailed } from '../model/faults.ts'
import { runCommand } from './command.ts'

/** Each with the file in which the kernel lists the tables that legacy iptables has made. */
const protocols = [
  ['iptables', '/proc/net/ip_tables_names'],
  ['ip6tables', '/proc/net/ip6_tables_names'],
] as const

/**
 * By command. A host without iptables, or a kernel without IPv6, is left out.
 *
 * Where `iptables` itself is the legacy one, both commands list the same table; it is returned once.
 * Two tables that merely look alike are so until the first has been changed.
 * @throws FILTER_FAILED when IPv4's is there and cannot be read: nobody can tell what it drops.
 */
export async function listFilterTables(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const tables of await Promise.all(protocols.map(listProtocol))) {
    for (const [command, listed] of tables) found.set(command, listed)
  }
  return found
}

async function listProtocol([protocol, legacyTables]: (typeof protocols)[number]): Promise<
  readonly (readonly [command: string, listed: string])[]
> {
  const usual = await listTable(protocol)
  const legacy = (await isInUse(legacyTables)) ? await listTable(`${protocol}-legacy`) : undefined
  return [
    ...(usual === undefined ? [] : [[protocol, usual] as const]),
    ...(legacy === undefined || legacy === usual ? [] : [[`${protocol}-legacy`, legacy] as const]),
  ]
}

async function listTable(command: string): Promise<string | undefined> {
  const { kind, stdout, stderr } = await runCommand(command, ['-w', '5', '-S'])
  if (kind === 'done') return stdout
  if (kind === 'failed' && command.startsWith('iptables'))
    throw filterFailed(command, stderr.trim())
  return undefined
}

/** Asking the legacy program itself would make its tables. */
async function isInUse(legacyTables: string): Promise<boolean> {
  const names = await readFile(legacyTables, 'utf8').catch(() => '')
  return names.split('\n').includes('filter')
}

/** Adds to what is there, in one transaction. @throws FILTER_FAILED */
export async function restoreRules(command: string, rules: string): Promise<void> {
  const program = `${command}-restore`
  const { kind, stderr } = await runCommand(program, ['-w', '5', '--noflush'], rules)
  if (kind !== 'done') throw filterFailed(program, stderr.trim())
}

/** Removes a chain and the jump to it from FORWARD; missing ones are no error. */
export async function removeChain(chain: string): Promise<void> {
  for (const command of (await listFilterTables()).keys()) {
    for (const args of [
      ['-D', 'FORWARD', '-j', chain],
      ['-F', chain],
      ['-X', chain],
    ]) {
      await runCommand(command, ['-w', '5', ...args])
    }
  }
}
