import { expect, test } from 'vitest'
import { planResolvers } from './resolvers.ts'
import type { ActualResolvers } from './resolvers.ts'

const open = { kind: 'open', sandbox: '/one', file: '/root/one' }
const close = { kind: 'close', sandbox: '/one' }

test.each([
  ['a namespace that is there is opened', ['/one'], {}, { '/one': 7n }, [open]],
  ['one that is not there yet is waited for', ['/one'], {}, {}, []],
  ['one that is open stays so', ['/one'], { '/one': 7n }, { '/one': 7n }, []],
  ['one that nobody needs is closed', [], { '/one': 7n }, { '/one': 7n }, [close]],
  ['one that has gone is closed', ['/one'], { '/one': 7n }, {}, [close]],
  ['one that is another by now is closed first', ['/one'], { '/one': 7n }, { '/one': 8n }, [close]],
])('%s', (_what, desired, opened, namespaces, steps) => {
  const actual: ActualResolvers = {
    open: new Map(Object.entries(opened)),
    namespaces: new Map(
      Object.entries(namespaces).map(([sandbox, inode]) => [
        sandbox,
        { file: `/root${sandbox}`, inode },
      ]),
    ),
  }
  expect(planResolvers(new Set(desired), actual)).toEqual(steps)
})
