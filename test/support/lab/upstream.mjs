/**
 * The name server that the lab's hosts were told of: `node upstream.mjs ADDRESS`. Writes a line for each question that
 * reaches it: `udp A www.example`.
 *
 *   www.example          192.0.2.80, 2001:db8::80, and back
 *   many.example         more addresses than a datagram holds
 *   broken.example       SERVFAIL
 *   private.example      REFUSED
 *   all else             NXDOMAIN
 */

import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

const [address] = process.argv.slice(2)
const typeNames = new Map([
  [1, 'A'],
  [12, 'PTR'],
  [16, 'TXT'],
  [28, 'AAAA'],
])
const many = Array.from({ length: 80 }, (_, index) => Buffer.from([192, 0, 2, index + 1]))
const zone = new Map([
  ['www.example A', [Buffer.from('c0000250', 'hex')]],
  ['www.example AAAA', [Buffer.from('20010db8000000000000000000000080', 'hex')]],
  ['80.2.0.192.in-addr.arpa PTR', [Buffer.from('\u0003www\u0007example\u0000')]],
  ['many.example A', many],
])
const codes = new Map([
  ['broken.example', 2],
  ['private.example', 5],
])
const [NXDOMAIN, QR_RD_RA, TC] = [3, 0x8180, 0x0200]
const usualUdpBytes = 512

const datagrams = createSocket('udp4')
datagrams.on('message', (query, from) => {
  const answer = answerTo(query, 'udp')
  datagrams.send(
    answer.length > usualUdpBytes ? truncated(answer) : answer,
    from.port,
    from.address,
  )
})
datagrams.bind(53, address)
createServer((socket) => {
  let received = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    received = Buffer.concat([received, bytes])
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE()) {
      const end = 2 + received.readUInt16BE()
      socket.write(framed(answerTo(received.subarray(2, end), 'tcp')))
      received = received.subarray(end)
    }
  })
}).listen(53, address)

function answerTo(query, transport) {
  const { name, type, end } = readQuestion(query)
  process.stdout.write(`${transport} ${type} ${name}\n`)
  const data = zone.get(`${name} ${type}`) ?? []
  const exists = data.length > 0 || [...zone.keys()].some((key) => key.startsWith(`${name} `))
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(QR_RD_RA | (codes.get(name) ?? (exists ? 0 : NXDOMAIN)), 2)
  header.writeUInt16BE(data.length, 6)
  header.fill(0, 8)
  const records = data.map((bytes) => {
    const fixed = Buffer.from('c00c00000001000000070000', 'hex')
    query.copy(fixed, 2, end - 4, end - 2)
    fixed.writeUInt16BE(bytes.length, 10)
    return Buffer.concat([fixed, bytes])
  })
  return Buffer.concat([header, query.subarray(12, end), ...records])
}

function readQuestion(query) {
  const labels = []
  let at = 12
  for (; query[at] > 0; at += query[at] + 1) {
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]))
  }
  const number = query.readUInt16BE(at + 1)
  return {
    name: labels.join('.').toLowerCase(),
    type: typeNames.get(number) ?? String(number),
    end: at + 5,
  }
}

function truncated(answer) {
  const { end } = readQuestion(answer)
  const short = Buffer.from(answer.subarray(0, end))
  short.writeUInt16BE(short.readUInt16BE(2) | TC, 2)
  short.writeUInt16BE(0, 6)
  return short
}

function framed(message) {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}
