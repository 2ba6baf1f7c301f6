/**
 * Both ends of small conversations over TCP, for hosts and containers alike: they have Node, but no tsx.
 *
 *   node talk.mjs serve PORT                  answers each byte with a byte
 *   node talk.mjs ask HOST PORT MS            one connection, one question at a time
 *   node talk.mjs connect HOST PORT MS        16 at once: connect, one question, close
 *
 * Prints one line of JSON. Connections are closed with a reset, so that none waits in TIME_WAIT for
 * its port while thousands follow.
 */

import { connect, createServer } from 'node:net'
import { print, summarise } from './samples.mjs'

const [what, ...rest] = process.argv.slice(2)
const atOnce = 16

if (what === 'serve') serve(Number(rest[0]))
else if (what === 'ask') print(await ask(...parse(rest)))
else if (what === 'connect') print(await connectAgainAndAgain(...parse(rest)))
else throw new Error(`unknown: ${what}`)

function parse([host, port, ms]) {
  return [{ host, port: Number(port), noDelay: true }, performance.now() + Number(ms)]
}

function serve(port) {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', (bytes) => socket.write(bytes))
    socket.on('error', () => socket.destroy())
  })
  server.listen({ port, host: '0.0.0.0', backlog: 1024 })
}

function ask(to, end) {
  const microseconds = []
  return new Promise((resolve, reject) => {
    let asked = 0
    const socket = connect(to, next)
    function next() {
      asked = performance.now()
      socket.write('?')
    }
    socket.on('error', reject)
    socket.on('data', () => {
      const now = performance.now()
      microseconds.push((now - asked) * 1000)
      if (now < end) return next()
      socket.resetAndDestroy()
      resolve(summarise(microseconds))
    })
  })
}

async function connectAgainAndAgain(to, end) {
  const start = performance.now()
  let count = 0
  async function work() {
    while (performance.now() < end) {
      await once(to)
      count += 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { perSecond: (count * 1000) / (performance.now() - start), count }
}

function once(to) {
  return new Promise((resolve, reject) => {
    const socket = connect(to, () => socket.write('?'))
    socket.on('error', reject)
    socket.on('data', () => {
      socket.resetAndDestroy()
      resolve()
    })
  })
}
