/**
 * Questions of names as a container asks them, and a server for those that nobody here knows:
 *
 *   node lookups.mjs ask NAME TTL AT_ONCE MS    asks 127.0.0.11 again and again, AT_ONCE of them in flight
 *   node lookups.mjs watch NAME                 a line whenever NAME has come or gone, and one at the start
 *   node lookups.mjs answer ADDRESS             everything under `example` exists, and nothing else does
 *
 * The TTL tells who has answered: a reply with another one is counted as wrong. Raw datagrams: a library's
 * own work would be most of what is measured. Times are milliseconds since 1970, for all of one machine alike.
 */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { print, summarise } from './samples.mjs'

const resolver = ['127.0.0.11', 53]
const patienceMs = 2000
const headerBytes = 12
const upstreamTtl = 60

const [what, ...rest] = process.argv.slice(2)
if (what === 'ask') print(await ask(rest[0], ...rest.slice(1).map(Number)))
else if (what === 'watch') await watch(rest[0])
else if (what === 'answer') answer(rest[0])
else throw new Error(`unknown: ${what}`)

async function ask(name, ttl, atOnce, ms) {
  const socket = await openSocket()
  const query = encodeQuery(name)
  const pending = new Map()
  const microseconds = []
  const counts = { answered: 0, lost: 0, wrong: 0 }
  const start = performance.now()
  let id = 0
  function next() {
    id = (id + 1) & 0xffff
    query.writeUInt16BE(id)
    // Before it is sent: the answer may be here before we are given the processor again.
    pending.set(id, performance.now())
    // A copy: it may be sent later than now.
    socket.send(Buffer.from(query))
  }
  socket.on('message', (reply) => {
    const now = performance.now()
    const asked = pending.get(reply.readUInt16BE())
    if (asked === undefined) return
    pending.delete(reply.readUInt16BE())
    microseconds.push((now - asked) * 1000)
    counts.answered += 1
    if (ttlOf(reply) !== ttl) counts.wrong += 1
    if (now - start < ms) next()
  })
  for (let index = 0; index < atOnce; index += 1) next()
  while (pending.size > 0) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    const now = performance.now()
    for (const [lostId, asked] of pending) {
      if (now - asked < patienceMs) continue
      pending.delete(lostId)
      counts.lost += 1
      if (now - start < ms) next()
    }
  }
  const seconds = (performance.now() - start) / 1000
  socket.close()
  return { ...summarise(microseconds), ...counts, perSecond: counts.answered / seconds }
}

async function watch(name) {
  const socket = await openSocket()
  const query = encodeQuery(name)
  let isThere
  for (;;) {
    query.writeUInt16BE((query.readUInt16BE() + 1) & 0xffff)
    socket.send(query)
    const waiting = AbortSignal.timeout(patienceMs)
    const [reply] = await once(socket, 'message', { signal: waiting }).catch(() => [])
    if (reply !== undefined && (ttlOf(reply) !== undefined) !== isThere) {
      isThere = ttlOf(reply) !== undefined
      print({ isThere, at: Date.now() })
    }
    // As often as it can be without taking the processor from what is watched.
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

function answer(address) {
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address: from }) => {
    socket.send(encodeReply(query), port, from)
  })
  socket.bind(resolver[1], address)
}

async function openSocket() {
  const socket = createSocket('udp4')
  socket.on('error', () => undefined)
  socket.connect(resolver[1], resolver[0])
  await once(socket, 'connect')
  return socket
}

/** A, IN, recursion desired. */
function encodeQuery(name) {
  const labels = name.split('.').map((label) => [label.length, ...Buffer.from(label)])
  const header = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
  return Buffer.from([...header, ...labels.flat(), 0, 0, 1, 0, 1])
}

function encodeReply(query) {
  const end = endOfQuestion(query)
  const question = query.subarray(0, end)
  const isKnown = question.includes('\x07example\0')
  const isAddress = query.readUInt16BE(end - 4) === 1
  const record = [0xc0, headerBytes, 0, 1, 0, 1, 0, 0, 0, upstreamTtl, 0, 4, 192, 0, 2, 1]
  const reply = Buffer.concat([question, Buffer.from(isKnown && isAddress ? record : [])])
  reply.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2)
  reply.writeUInt16BE(isKnown && isAddress ? 1 : 0, 6)
  reply.fill(0, 8, headerBytes)
  return reply
}

/** Of the first answer; undefined if there is none. */
function ttlOf(reply) {
  const answers = reply.readUInt16BE(6)
  if (answers === 0) return undefined
  const ownName = 2 + 2
  return reply.readUInt32BE(endOfName(reply, endOfQuestion(reply)) + ownName)
}

function endOfQuestion(message) {
  return endOfName(message, headerBytes) + 4
}

function endOfName(message, start) {
  let at = start
  while (message[at] !== 0) {
    if (message[at] >= 0xc0) return at + 2
    at += message[at] + 1
  }
  return at + 1
}
