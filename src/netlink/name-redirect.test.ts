import { expect, test } from 'vitest'
import { NetlinkError } from './errors.ts'
import type { Request } from './message.ts'
import { createNameRedirect } from './name-redirect.ts'
import { encodeNameRules, encodeNoNameRules } from './name-rules.ts'

const ports = { udpPort: 5000, tcpPort: 5001 }
const owned = encodeNameRules({ ...ports, owned: true })
const unowned = encodeNameRules({ ...ports, owned: false })
const [dropped, arrived, refused] = [1, 0, 111]

/** A kernel that refuses some batches, and answers heartbeats one after the other; the last again and again. */
function createKernel(options: {
  readonly refusal?: (requests: readonly Request[]) => number
  readonly beats?: readonly number[]
}) {
  const committed: (readonly Request[])[] = []
  const { refusal = () => 0, beats = [dropped] } = options
  let beat = 0
  return {
    committed,
    commit(requests: readonly Request[]) {
      committed.push(requests)
      const errno = refusal(requests)
      return errno === 0 ? undefined : new NetlinkError('create table', errno)
    },
    sendBeat: () => beats[Math.min(beat++, beats.length - 1)] ?? arrived,
  }
}

test.each([
  ['5.12 and later', 0, [owned, owned]],
  ['before 5.12: EINVAL', 22, [owned, unowned, unowned]],
  ['before 5.12: EOPNOTSUPP', 95, [owned, unowned, unowned]],
])('an owner is tried, and done without from then on: kernels %s', (_, errno, expected) => {
  const kernel = createKernel({
    refusal: (requests) => (requests[2]?.body.length === owned[2]?.body.length ? errno : 0),
  })
  const redirect = createNameRedirect({ ...ports, owned: true, ...kernel })
  redirect.load()
  redirect.load()
  expect(kernel.committed).toEqual(expected)
})

test.each([
  ['EPERM', 1, [owned]],
  ['ENOTSUP', 95, [owned, unowned]],
])('what the kernel refuses for good is thrown: %s', (code, errno, expected) => {
  const kernel = createKernel({ refusal: () => errno })
  const redirect = createNameRedirect({ ...ports, owned: true, ...kernel })
  expect(redirect.load).toThrow(expect.objectContaining({ code }))
  expect(kernel.committed).toEqual(expected)
})

test('rules that a heartbeat passes by are of no use, and are removed again', () => {
  const kernel = createKernel({ beats: [arrived] })
  const redirect = createNameRedirect({ ...ports, owned: true, ...kernel })
  expect(redirect.load).toThrow('do not see')
  expect(kernel.committed).toEqual([owned, encodeNoNameRules()])
})

test('what became of an earlier heartbeat does not count', () => {
  const kernel = createKernel({ beats: [refused, dropped, arrived] })
  const redirect = createNameRedirect({ ...ports, owned: true, ...kernel })
  expect([redirect.beat(), redirect.beat()]).toEqual([true, false])
})
