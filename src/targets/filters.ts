/** Joins the plan for packet filters with nft and iptables: see `datapath/filters.ts` for what and why. */

import { acceptChain, planFilters } from '../datapath/filters.ts'
import type { ActualFilters, DesiredFilters, FilterStep } from '../datapath/filters.ts'
import { listFilterTables, removeChain, restoreRules } from '../netfilter/iptables.ts'
import { listTables, loadTables, removeTables } from '../netfilter/nft.ts'
import { oneByOne } from '../reconcile/reconcile.ts'
import type { Target } from '../reconcile/reconcile.ts'

export function filtersTarget(
  desired: () => Promise<DesiredFilters>,
): Target<DesiredFilters, ActualFilters, FilterStep> {
  let loaded: ActualFilters['loaded']
  return {
    name: 'filters',
    desired,
    async observe() {
      const [tables, accepts] = await Promise.all([listTables(), listFilterTables()])
      return { tables, loaded, accepts }
    },
    plan: planFilters,
    apply: oneByOne(async (step) => {
      if (step.kind === 'restore-accept') return restoreRules(step.command, step.rules)
      await loadTables(step.ruleset)
      loaded = { ruleset: step.ruleset, tables: await listTables() }
    }),
  }
}

export async function removeFilters(): Promise<void> {
  await removeTables()
  await removeChain(acceptChain)
}
