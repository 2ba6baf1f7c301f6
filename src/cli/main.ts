#!/usr/bin/env node
/**
 * The `weave` command: wires one run to this process.
 */

import { createContext, findInstallation } from './context.ts'
import { run } from './run.ts'

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interruption.abort())
}
const context = createContext(process.env, {
  signal: interruption.signal,
  installation: findInstallation(),
})
await run(process.argv.slice(2), context)
