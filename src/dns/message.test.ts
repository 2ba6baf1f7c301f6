import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeQuery } from './message.ts'
import { encodeName, foldCase, readName } from './name.ts'

test('a question is read as dns-packet wrote it, its case kept', () => {
  const bytes = dnsPacket.encode({
    id: 4711,
    type: 'query',
    flags: dnsPacket.RECURSION_DESIRED | dnsPacket.CHECKING_DISABLED,
    questions: [{ name: 'Web.weave.LOCAL', type: 'AAAA' }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1400,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: dnsPacket.DNSSEC_OK,
        flag_do: true,
        options: [],
      },
    ],
  })

  expect(decodeQuery(bytes)).toEqual({
    kind: 'query',
    query: {
      id: 4711,
      recursionDesired: true,
      checkingDisabled: true,
      question: { name: 'Web.weave.LOCAL', type: 28, class: 1 },
      questionBytes: bytes.subarray(12, 12 + 21),
      edns: { udpBytes: 1400, version: 0, dnssecOk: true },
    },
  })
})

const plain = '04d2 0100 0001 0000 0000 0000'
const web = '03776562 00 0001 0001'

test.each([
  ['nothing', ''],
  ['less than a head', '04d2 0100 0001 0000 0000 00'],
  ['a reply', `04d2 8100 0001 0000 0000 0000 ${web}`],
  ['a reply that makes no sense', '04d2 ffff ffff ffff ffff ffff ffff'],
])('%s is dropped', (_what, text) => {
  expect(decodeQuery(hex(text))).toEqual({ kind: 'drop' })
})

test.each([
  ['no question', '04d2 0100 0000 0000 0000 0000', 1],
  ['two questions', `04d2 0100 0002 0000 0000 0000 ${web} ${web}`, 1],
  ['65535 questions', `04d2 0100 ffff 0000 0000 0000 ${web}`, 1],
  ['answers', `04d2 0100 0001 ffff 0000 0000 ${web}`, 1],
  ['65535 additional records', `04d2 0100 0001 0000 0000 ffff ${web}`, 1],
  ['a name that points to itself', `${plain} c00c 0001 0001`, 1],
  ['a name that points into the head', `${plain} c000 0001 0001`, 1],
  ['a pointer behind a label', `${plain} 03776562 c00c 0001 0001`, 1],
  ['a label of 64 bytes', `${plain} 40 ${'61'.repeat(64)} 00 0001 0001`, 1],
  ['a label of the reserved kind', `${plain} 80 ${'61'.repeat(64)} 00 0001 0001`, 1],
  ['a name of 257 bytes', `${plain} ${`3f${'61'.repeat(63)}`.repeat(4)} 00 0001 0001`, 1],
  ['a name without end', `${plain} 03776562`, 1],
  ['a name that ends the message', `${plain} 03776562 00`, 1],
  ['half a type', `${plain} 03776562 00 0001 00`, 1],
  ['an announced OPT that is not there', `04d2 0100 0001 0000 0000 0001 ${web}`, 1],
  ['an OPT cut off', `04d2 0100 0001 0000 0000 0001 ${web} 00 0029 0400 00000000 0004 0000`, 1],
  [
    'two OPTs',
    `04d2 0100 0001 0000 0000 0002 ${web} 00 0029 0400 00000000 0000 00 0029 0400 00000000 0000`,
    1,
  ],
  ['an OPT with a name', `04d2 0100 0001 0000 0000 0001 ${web} 0161 00 0029 0400 00000000 0000`, 1],
  ['an update', `04d2 2800 0001 0000 0000 0000 ${web}`, 4],
  ['an opcode of the future', `04d2 7800 0001 0000 0000 0000 ${web}`, 4],
])('%s is refused', (_what, text, rcode) => {
  expect(decodeQuery(hex(text))).toEqual({ kind: 'refuse', rcode })
})

test('a record beside OPT (a signature), or before it (IXFR), is stepped over', () => {
  const opt = '00 0029 0400 00000000 0000'
  const record = 'c00c 0006 0001 00000000 0003 616263'

  for (const text of [
    `04d2 0100 0001 0000 0000 0002 ${web} ${record} ${opt}`,
    `04d2 0100 0001 0000 0001 0001 ${web} ${record} ${opt}`,
  ]) {
    expect(decodeQuery(hex(text))).toMatchObject({ query: { edns: { udpBytes: 1024 } } })
  }
})

test('less than 512 bytes cannot be asked for', () => {
  const bytes = hex(`04d2 0100 0001 0000 0000 0001 ${web} 00 0029 0001 00000000 0000`)

  expect(decodeQuery(bytes)).toMatchObject({ query: { edns: { udpBytes: 512 } } })
})

test('whatever comes, nothing is thrown, and what is kept is part of what came', () => {
  fc.assert(
    fc.property(almostAQuery(), (bytes) => {
      const decoded = decodeQuery(bytes)
      if (decoded.kind !== 'query') return
      expect(12 + decoded.query.questionBytes.length).toBeLessThanOrEqual(bytes.length)
      expect(encodeName(decoded.query.question.name)).toEqual(
        decoded.query.questionBytes.subarray(0, -4),
      )
    }),
    { numRuns: 20_000 },
  )
})

test('no byte is looked at more than a few times, so that time is bounded by length', () => {
  const longest = hex(`04d2 0100 0001 0000 0001 0002 ${web} ${`3f${'61'.repeat(63)}`.repeat(900)}`)
  const scraps = Buffer.concat([hex(`04d2 0100 0001 0000 0001 0002`), Buffer.alloc(60_000, 0xc0)])

  expect(readsOf(longest)).toBeLessThan(100)
  expect(readsOf(scraps)).toBeLessThan(100)
  fc.assert(
    fc.property(almostAQuery(), (bytes) => {
      expect(readsOf(bytes)).toBeLessThan(100 + bytes.length)
    }),
    { numRuns: 5000 },
  )
})

test('a name of any bytes survives being text', () => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 63 })
  fc.assert(
    fc.property(fc.array(label, { maxLength: 3 }), (labels) => {
      const wire = Buffer.concat([
        ...labels.map((bytes) => Buffer.concat([Buffer.of(bytes.length), bytes])),
        Buffer.of(0),
      ])
      const found = readName(wire, 0)
      expect(found?.end).toBe(wire.length)
      expect(encodeName(found?.name ?? 'unreadable')).toEqual(wire)
    }),
  )
})

test('a label with a dot is not two labels', () => {
  const one = readName(hex('03 612e62 00'), 0)?.name
  const two = readName(hex('01 61 01 62 00'), 0)?.name

  expect([one, two]).toEqual([String.raw`a\.b`, 'a.b'])
})

test.each([
  '.',
  'a..b',
  '.a',
  'a.',
  'a\\',
  'é\u0101',
  'a'.repeat(64),
  `${'a'.repeat(63)}.`.repeat(3) + 'a'.repeat(62),
  'a.'.repeat(200_000),
])('%.20j is no name', (text) => {
  expect(encodeName(text)).toBeUndefined()
})

test('the longest name is one', () => {
  expect(encodeName(`${'a'.repeat(63)}.`.repeat(3) + 'a'.repeat(61))).toHaveLength(255)
})

test('only ASCII letters have a lower case', () => {
  expect(foldCase('WeB.\u00C0')).toBe('web.\u00C0')
})

/** Bytes at random seldom get beyond the head: most of these are a query, bent in a few places. */
function almostAQuery(): fc.Arbitrary<Buffer> {
  const good = fc.constantFrom(
    hex(`${plain} ${web}`),
    hex(`04d2 0100 0001 0000 0000 0001 ${web} 00 0029 0400 00000000 0004 000a0000`),
    hex(
      `04d2 0100 0001 0000 0001 0001 ${web} c00c 0006 0001 00000000 0001 00 00 0029 0400 00000000 0000`,
    ),
  )
  const bends = fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 })
  const bent = fc.tuple(good, bends, fc.nat(80)).map(([bytes, changes, length]) => {
    const copy = Buffer.from(bytes.subarray(0, length))
    for (const [at, value] of changes) if (at < copy.length) copy[at] = value
    return copy
  })
  return fc.oneof(
    bent,
    fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
  )
}

/** How often `decodeQuery` looks at a byte, or calls a function that looks at some. */
function readsOf(bytes: Buffer): number {
  let reads = 0
  const watched = new Proxy(bytes, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (key !== 'length') reads += 1
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  decodeQuery(watched)
  return reads
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}
