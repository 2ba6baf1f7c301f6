/**
 * Makes what the hosts of each engine start from, before the tests do it in silence.
 *
 * Run by script/test. Quick when there is nothing to do; else under a minute for each engine.
 */

import { prepareEngine } from './docker.ts'
import { engines } from './engine.ts'

for (const { name } of Object.values(engines)) {
  process.stderr.write(`weave: preparing hosts with Docker ${name}\n`)
  await prepareEngine(name)
}
