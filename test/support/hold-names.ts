/** A router in a process of its own, for a test to kill: `node --import tsx hold-names.ts NAMESPACE-FILE [unowned]`. */

import { openFoothold } from '../../src/netlink/foothold.ts'
import { answerAsUs } from './resolver.ts'

const [path = '', ownership] = process.argv.slice(2)
const foothold = openFoothold(path, { owned: ownership !== 'unowned' })
answerAsUs(foothold)
foothold.redirect()
setInterval(() => {
  if (!foothold.beat()) foothold.redirect()
}, 1000)
process.stdout.write('ready\n')
