/**
 * How many descriptors are left when a foothold could not be opened for want of them? Says so for each number of spare
 * ones that does not suffice: `prlimit --nofile=100:100 node --import tsx few-files.ts NAMESPACE-FILE`.
 */

import { closeSync, openSync } from 'node:fs'
import { openFoothold } from '../../src/netlink/foothold.ts'

const [path = ''] = process.argv.slice(2)

function useUp(): number[] {
  const used: number[] = []
  for (;;) {
    try {
      used.push(openSync('/dev/null', 'r'))
    } catch {
      return used
    }
  }
}

function tryWith(spare: number): { spare: number; outcome: unknown; left: number } {
  const used = useUp()
  for (const fd of used.splice(0, spare)) closeSync(fd)
  let outcome: unknown = 'opened'
  try {
    openFoothold(path)
  } catch (error) {
    outcome = error instanceof Error && 'code' in error ? error.code : error
  }
  const left = useUp()
  for (const fd of [...used, ...left]) closeSync(fd)
  return { spare, outcome, left: left.length }
}

const outcomes = [1, 2, 3, 4, 5, 6].map(tryWith)
process.stdout.write(JSON.stringify(outcomes))
