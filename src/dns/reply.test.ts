import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeQuery } from './message.ts'
import type { Query } from './message.ts'
import { encodeReply, readZone, truncateReply } from './reply.ts'
import type { AnswerRecord, OwnAnswer } from './reply.ts'

const options = {
  mostBytes: 1232,
  ednsBytes: 1232,
  zone: readZone('weave.local'),
  ttlSeconds: 1,
  recursion: true,
}

test('addresses are answered for the name as it was asked', () => {
  const answer = records([
    { type: 'A', data: '10.44.7.9' },
    { type: 'A', data: '10.44.7.10' },
  ])
  const reply = dnsPacket.decode(encodeReply(ask('WeB.weave.local'), answer, options))

  expect(reply).toMatchObject({
    id: 7,
    type: 'response',
    rcode: 'NOERROR',
    flag_aa: true,
    flag_tc: false,
    flag_rd: true,
    flag_ra: true,
    questions: [{ name: 'WeB.weave.local', type: 'A', class: 'IN' }],
    answers: [
      { name: 'WeB.weave.local', type: 'A', ttl: 5, data: '10.44.7.9' },
      { name: 'WeB.weave.local', type: 'A', ttl: 5, data: '10.44.7.10' },
    ],
    authorities: [],
    additionals: [],
  })
})

test('a record with an address takes 16 bytes: its name is a pointer', () => {
  const one = encodeReply(ask('web'), records([{ type: 'A', data: '10.0.0.1' }]), options)
  const none = encodeReply(ask('web'), { kind: 'refused' }, options)

  expect(one.length - none.length).toBe(16)
})

test('IPv6 is written from any spelling', () => {
  const answer = records([
    { type: 'AAAA', data: 'FD00:0::1' },
    { type: 'AAAA', data: 'fd00::10.0.0.1' },
  ])
  const reply = dnsPacket.decode(encodeReply(ask('web', 'AAAA'), answer, options))

  expect(reply.answers).toMatchObject([{ data: 'fd00::1' }, { data: 'fd00::a00:1' }])
})

test('names of PTR records share their ends, with each other and with the question', () => {
  const answer = records([
    { type: 'PTR', data: 'web.weave.local' },
    { type: 'PTR', data: 'db.weave.local' },
    { type: 'PTR', data: 'weave.local' },
    { type: 'PTR', data: '1.0.0.10.in-addr.arpa' },
  ])
  const bytes = encodeReply(ask('1.0.0.10.in-addr.arpa', 'PTR'), answer, options)

  expect(dnsPacket.decode(bytes).answers?.map((record) => 'data' in record && record.data)).toEqual(
    ['web.weave.local', 'db.weave.local', 'weave.local', '1.0.0.10.in-addr.arpa'],
  )
  expect(bytes.length).toBe(12 + 23 + 4 + 4 * 12 + 17 + 5 + 2 + 2)
})

test.each([
  ['nodata', 'NOERROR', 'web.weave.local', 'weave.local'],
  ['nodata', 'NOERROR', 'WEAVE.local', 'weave.local'],
  ['nxdomain', 'NXDOMAIN', 'web.Weave.Local', 'weave.local'],
  ['nxdomain', 'NXDOMAIN', 'web', '.'],
  ['nxdomain', 'NXDOMAIN', 'web.otherweave.local', '.'],
  ['nodata', 'NOERROR', '', '.'],
] as const)('%s is %s, and may be cached as long as the SOA says', (kind, rcode, name, owner) => {
  const reply = dnsPacket.decode(encodeReply(ask(name), { kind }, options))

  expect(reply).toMatchObject({ rcode, flag_aa: true, answers: [] })
  expect(reply.authorities).toMatchObject([
    {
      name: owner,
      type: 'SOA',
      ttl: 1,
      data: { mname: 'weave.local', rname: 'hostmaster.weave.local', minimum: 1 },
    },
  ])
})

test.each([
  ['refused', 'REFUSED'],
  ['failed', 'SERVFAIL'],
] as const)('%s is %s, without authority', (kind, rcode) => {
  expect(dnsPacket.decode(encodeReply(ask('web'), { kind }, options))).toMatchObject({
    rcode,
    flag_aa: false,
    answers: [],
    authorities: [],
  })
})

test('EDNS is answered only if asked with; DO comes back, options do not', () => {
  const reply = dnsPacket.decode(
    encodeReply(ask('web', 'A', edns({})), { kind: 'nodata' }, options),
  )

  expect(reply.additionals).toEqual([
    expect.objectContaining({
      type: 'OPT',
      name: '.',
      udpPayloadSize: 1232,
      ednsVersion: 0,
      extendedRcode: 0,
      flag_do: true,
      options: [],
    }),
  ])
})

test('an EDNS version of the future is told so (BADVERS: 16)', () => {
  const query = ask('web', 'A', edns({ ednsVersion: 1 }))
  const reply = dnsPacket.decode(encodeReply(query, { kind: 'bad-version' }, options))

  expect(reply).toMatchObject({
    rcode: 'NOERROR',
    additionals: [{ extendedRcode: 1, ednsVersion: 0 }],
  })
})

test('what does not fit is left out, as little as possible, and TC says so', () => {
  const addresses = Array.from({ length: 300 }, (_, index) => `10.0.${index >> 8}.${index & 255}`)
  const answer = records(addresses.map((data) => ({ type: 'A', data })))
  const plain = encodeReply(ask('web'), answer, { ...options, mostBytes: 512 })
  const extended = encodeReply(ask('web', 'A', edns({})), answer, { ...options, mostBytes: 512 })
  const long = encodeReply(ask('web'), answer, { ...options, mostBytes: 65_535 })

  expect(dnsPacket.decode(plain)).toMatchObject({ flag_tc: true })
  expect(dnsPacket.decode(plain).answers).toHaveLength(Math.floor((512 - 12 - 9) / 16))
  expect(dnsPacket.decode(extended)).toMatchObject({
    flag_tc: true,
    additionals: [{ type: 'OPT' }],
  })
  expect(dnsPacket.decode(extended).answers).toHaveLength(Math.floor((512 - 12 - 9 - 11) / 16))
  expect(dnsPacket.decode(long)).toMatchObject({ flag_tc: false })
  expect(dnsPacket.decode(long).answers).toMatchObject(addresses.map((data) => ({ data })))
})

test('beyond 16 KiB, where no pointer reaches, names are still right', () => {
  const names = Array.from({ length: 2000 }, (_, index) => `host${index}.zone${index >> 1}.example`)
  const answer = records(names.map((data) => ({ type: 'PTR', data })))
  const bytes = encodeReply(ask('1.in-addr.arpa', 'PTR'), answer, { ...options, mostBytes: 65_535 })

  expect(bytes.length).toBeGreaterThan(32_768)
  expect(dnsPacket.decode(bytes).answers).toMatchObject(names.map((data) => ({ data })))
})

test('records that cannot be written are skipped', () => {
  const answer = records([
    { type: 'A', data: 'fd00::1' },
    { type: 'A', data: '10.0.0.1' },
    { type: 'AAAA', data: '10.0.0.1' },
    { type: 'A', data: 'no address' },
    { type: 'PTR', data: 'a'.repeat(64) },
    { type: 'PTR', data: 'a.'.repeat(127) + 'b' },
    { type: 'PTR', data: 'a..b' },
  ])

  expect(dnsPacket.decode(encodeReply(ask('web'), answer, options)).answers).toMatchObject([
    { data: '10.0.0.1' },
  ])
})

test('if no record is left the name has nothing of this type', () => {
  const reply = encodeReply(ask('web'), records([{ type: 'A', data: 'fd00::1' }]), options)

  expect(dnsPacket.decode(reply)).toMatchObject({ answers: [], authorities: [{ type: 'SOA' }] })
})

test('the longest name, asked for and answered, leaves everything readable', () => {
  const name = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`
  const zone = `${'e'.repeat(63)}.${'f'.repeat(63)}.${'g'.repeat(63)}.${'h'.repeat(50)}`
  const ptr = records([{ type: 'PTR', data: zone }])
  const small = { ...options, mostBytes: 512, zone: readZone(zone) }

  expect(dnsPacket.decode(encodeReply(ask(name), { kind: 'nodata' }, small))).toMatchObject({
    flag_tc: false,
    authorities: [],
  })
  expect(dnsPacket.decode(encodeReply(ask(name, 'PTR', edns({})), ptr, small))).toMatchObject({
    flag_tc: true,
    answers: [],
    authorities: [],
    additionals: [{ type: 'OPT' }],
  })
})

test('whatever is asked and answered, the reply can be read and is not too long', () => {
  fc.assert(
    fc.property(
      anyQuery(),
      anyAnswer(),
      fc.constantFrom(512, 600, 1232),
      (query, answer, mostBytes) => {
        const bytes = encodeReply(query, answer, { ...options, mostBytes })
        expect(bytes.length).toBeLessThanOrEqual(mostBytes)
        const reply = dnsPacket.decode(bytes)
        expect(dnsPacket.decode.bytes).toBe(bytes.length)
        expect(bytes.subarray(12, 12 + query.questionBytes.length)).toEqual(query.questionBytes)
        expect(reply.additionals).toHaveLength(query.edns === undefined ? 0 : 1)
        const given = answer.kind === 'records' ? answer.records : []
        const there = (reply.answers ?? []).map((record) => 'data' in record && record.data)
        const fitted = reply.flag_tc ? there.length : given.length
        expect(there).toEqual(given.slice(0, fitted).map(({ data }) => data))
      },
    ),
    { numRuns: 2000 },
  )
})

test('a reply of others that is too long becomes its head, the question and TC', () => {
  const query = ask('web')
  const theirs = dnsPacket.encode({
    id: 7,
    type: 'response',
    flags: dnsPacket.RECURSION_AVAILABLE | dnsPacket.RECURSION_DESIRED,
    questions: [{ name: 'web', type: 'A' }],
    answers: [{ name: 'web', type: 'A', data: '10.0.0.1', ttl: 5 }],
  })

  expect(dnsPacket.decode(truncateReply(theirs, query))).toMatchObject({
    id: 7,
    flag_tc: true,
    flag_ra: true,
    questions: [{ name: 'web' }],
    answers: [],
  })
})

function records(list: readonly AnswerRecord[]): OwnAnswer {
  return { kind: 'records', records: list, ttlSeconds: 5 }
}

function edns(change: Partial<dnsPacket.OptAnswer>): dnsPacket.OptAnswer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1400,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: dnsPacket.DNSSEC_OK,
    flag_do: true,
    options: [{ code: 10 as 12, data: Buffer.from('cookie!!') }],
    ...change,
  }
}

function ask(name: string, type: 'A' | 'AAAA' | 'PTR' = 'A', opt?: dnsPacket.OptAnswer): Query {
  const bytes = dnsPacket.encode({
    id: 7,
    type: 'query',
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type }],
    additionals: opt === undefined ? [] : [opt],
  })
  const decoded = decodeQuery(bytes)
  if (decoded.kind !== 'query') throw new Error(`not a query: ${decoded.kind}`)
  return decoded.query
}

function anyName(): fc.Arbitrary<string> {
  const label = fc.stringMatching(/^[a-z-]{1,20}$/)
  const end = fc.constantFrom('', '.weave.local', '.local', '.in-addr.arpa')
  return fc
    .tuple(fc.array(label, { minLength: 1, maxLength: 6 }), end)
    .map(([labels, tail]) => labels.join('.') + tail)
}

function anyQuery(): fc.Arbitrary<Query> {
  return fc
    .tuple(anyName(), fc.constantFrom('A', 'AAAA', 'PTR'), fc.boolean())
    .map(([name, type, extended]) => ask(name, type, extended ? edns({}) : undefined))
}

function anyAnswer(): fc.Arbitrary<OwnAnswer> {
  const address = fc.nat(0xff_ff_ff).map((n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)
  const record: fc.Arbitrary<AnswerRecord> = fc.oneof(
    address.map((data) => ({ type: 'A' as const, data })),
    anyName().map((data) => ({ type: 'PTR' as const, data })),
  )
  const kinds = ['nodata', 'nxdomain', 'refused', 'failed', 'bad-version'] as const
  return fc.oneof(
    fc.array(record, { maxLength: 60 }).map(records),
    fc.constantFrom(...kinds).map((kind) => ({ kind })),
  )
}
