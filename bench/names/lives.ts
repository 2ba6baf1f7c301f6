/**
 * How soon is a container's name known on another host, and how soon is it gone?
 *
 * A container there looks the name up all the time. All clocks are this one machine's. The name is asked for under
 * our domain: plain, it would be passed on as long as nobody has it.
 */

import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { ok } from '../../test/support/lab/lab.ts'
import type { Host } from '../../test/support/lab/lab.ts'
import { askEngine } from '../support/engine.ts'
import { atMost, figure } from '../support/report.ts'
import type { Row, Section } from '../support/report.ts'
import { lookups, mountPrograms } from '../support/scene.ts'
import { quantile } from '../support/stats.ts'

const comer = 'comer'
const promisedGoneMs = 100
const ends = { 'docker stop -t0': 'stop?t=0', 'docker kill': 'kill' } as const
type End = keyof typeof ends

/** All in milliseconds since 1970. */
interface Life {
  readonly end: End
  readonly startAsked: number
  /** Its first process runs. */
  readonly began: number
  readonly known: number
  readonly endAsked: number
  readonly ended: number
  readonly gone: number
}

export async function measureLives(
  { at, seenFrom }: { readonly at: Host; readonly seenFrom: Host },
  { quick }: { readonly quick: boolean },
): Promise<Omit<Section, 'title'>> {
  const rounds = quick ? 5 : 21
  const lives: Life[] = []
  await using watcher = await watch(seenFrom)
  for (let round = 0; round < rounds; round += 1) {
    lives.push(await live(at, watcher, 'docker stop -t0'))
    lives.push(await live(at, watcher, 'docker kill'))
  }
  const gone = lives.map((life) => life.gone - life.ended)
  const note =
    `${rounds} containers that are stopped and ${rounds} that are killed; a container on the other host looks the name up ` +
    `about every ms. Starts and ends count from the call of Docker's API.`
  const rows = [
    row(
      'from docker start to its name known on the other host',
      lives,
      (life) => life.known - life.startAsked,
    ),
    row('… from the start of its first process', lives, (life) => life.known - life.began),
    ...Object.keys(ends).map((end) =>
      row(
        `from ${end} to its name gone from there`,
        lives.filter((life) => life.end === end),
        (life) => life.gone - life.endAsked,
      ),
    ),
    {
      ...row('… from the end of its process', lives, (life) => life.gone - life.ended),
      promise: atMost(quantile(gone, 0.99), { limit: promisedGoneMs, unit: 'ms' }),
    },
  ]
  return { note, rows }
}

function row(what: string, lives: readonly Life[], pick: (life: Life) => number): Row {
  const samples = lives.map(pick)
  return {
    what,
    figures: {
      'p50 ms': figure(quantile(samples, 0.5), { samples }),
      'p99 ms': figure(quantile(samples, 0.99)),
    },
  }
}

async function live(host: Host, watcher: Watcher, end: End): Promise<Life> {
  const first = 'echo $EPOCHREALTIME; exec sleep 100000'
  await ok(host.docker('create', `--name=${comer}`, '--net=weave', 'ubuntu', 'bash', '-c', first))
  const startAsked = Date.now()
  await post(host, 'start')
  const known = await watcher.next(true)
  const began = Number(await ok(host.docker('logs', comer))) * 1000
  const endAsked = Date.now()
  await post(host, ends[end])
  const gone = await watcher.next(false)
  const ended = await endOf(host)
  await ok(host.docker('rm', comer))
  return { end, startAsked, began, known, endAsked, ended, gone }
}

async function post(host: Host, call: string): Promise<void> {
  const { status, text } = await askEngine(host, `/containers/${comer}/${call}`, 'POST')
  if (status !== 204) throw new Error(`${call}: ${status} ${text}`)
}

const inspected = z.object({ State: z.object({ FinishedAt: z.string() }) })

async function endOf(host: Host): Promise<number> {
  const { text } = await askEngine(host, `/containers/${comer}/json`)
  return Date.parse(inspected.parse(JSON.parse(text)).State.FinishedAt)
}

interface Watcher extends AsyncDisposable {
  /** When it saw the next change, which must be this one. */
  readonly next: (isThere: boolean) => Promise<number>
}

const change = z.object({ isThere: z.boolean(), at: z.number() })
const patienceMs = 30_000
const lookMs = 10

async function watch(host: Host): Promise<Watcher> {
  const name = '--name=watcher'
  const run = ['docker', 'run', '--rm', name, '--net=weave', mountPrograms, 'tools']
  const client = await host.start('watcher', [
    ...run,
    'node',
    lookups,
    'watch',
    `${comer}.weave.local`,
  ])
  const log = host.path('/var/log/lab/watcher.log')
  let seen = 0
  async function next(isThere: boolean): Promise<number> {
    const end = Date.now() + patienceMs
    while (Date.now() < end) {
      const line = (await readFile(log, 'utf8')).split('\n').slice(0, -1)[seen]
      if (line === undefined) {
        await sleep(lookMs)
        continue
      }
      seen += 1
      const found = change.parse(JSON.parse(line))
      if (found.isThere === isThere) return found.at
      throw new Error(`change ${seen}: ${comer} is ${isThere ? 'gone' : 'there'} again`)
    }
    throw new Error(`${comer} does not ${isThere ? 'come' : 'go'}`)
  }
  await next(false)
  return {
    next,
    async [Symbol.asyncDispose]() {
      await ok(host.docker('rm', '-f', 'watcher'))
      await client.stop()
    },
  }
}
