/** Our own nftables tables: loaded in one transaction, listed as nft lists them, removed. */

import { filterFailed } from '../model/faults.ts'
import { runCommand } from './command.ts'

const families = ['inet', 'bridge'] as const
const table = 'weave'

/** Undefined when one of them is missing, or nft is. */
export async function listTables(): Promise<string | undefined> {
  const listed = await Promise.all(
    families.map((family) => runCommand('nft', ['list', 'table', family, table])),
  )
  return listed.every(({ kind }) => kind === 'done')
    ? listed.map(({ stdout }) => stdout).join('')
    : undefined
}

/** @throws FILTER_FAILED */
export async function loadTables(ruleset: string): Promise<void> {
  const { kind, stderr } = await runCommand('nft', ['-f', '-'], ruleset)
  if (kind === 'missing') throw filterFailed('nft', 'it is not installed')
  if (kind === 'failed') throw filterFailed('nft', stderr.trim())
}

/** Missing ones are no error. */
export async function removeTables(): Promise<void> {
  for (const family of families) await runCommand('nft', ['delete', 'table', family, table])
}
