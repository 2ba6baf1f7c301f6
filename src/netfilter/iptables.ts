/**
 * The filter tables of iptables, for IPv4 and IPv6.
 *
 * The trap: iptables exists twice, over nftables and as "legacy", and the two do not see each other's
 * rules. A host's Docker uses one of them; ours must be the same, or the drop that we want to get
 * ahead of stands in another table.
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
 * @throws FILTER_FAILED when IPv4's is there and cannot be read: nobody can tell what it drops.
 */
export async function listFilterTables(): Promise<ReadonlyMap<string, string>> {
  const tables = await Promise.all(protocols.map(listOne))
  return new Map(tables.filter((table) => table !== undefined))
}

async function listOne([protocol, legacyTables]: (typeof protocols)[number]): Promise<
  readonly [string, string] | undefined
> {
  const command = (await isInUse(legacyTables)) ? `${protocol}-legacy` : protocol
  const { kind, stdout, stderr } = await runCommand(command, ['-w', '5', '-S'])
  if (kind === 'done') return [command, stdout]
  if (kind === 'failed' && protocol === 'iptables') throw filterFailed(command, stderr.trim())
  return undefined
}

/** Asking the legacy program itself would make its tables, and every packet would pass them. */
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
