/**
 * `script/demo`: two Docker hosts on this machine, the seed's commands on them, and what came of it.
 *
 *   --keep      leaves the hosts up and tells how to enter them
 *   --remove    removes hosts that were kept
 *   --enter=H   prints how to enter a kept host (for script/enter)
 *
 * What is printed behind `host1$` is what was run there, word for word, and what it said.
 */

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { createLab, removeLab } from '../test/support/lab/lab.ts'
import type { Host, Lab } from '../test/support/lab/lab.ts'
import { labsDirectory, productPrefix } from '../test/support/lab/places.ts'
import { readRecord } from '../test/support/lab/record.ts'
import { measureThroughput } from './throughput.ts'

const startedMs = Date.now()
const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** What a shell reports for a program that Ctrl-C ended. */
const interruptedExit = 130

async function main(flags: readonly string[]): Promise<void> {
  const enter = flags.find((flag) => flag.startsWith('--enter='))
  if (enter !== undefined) return printEntrance(enter.slice('--enter='.length))
  if (flags.includes('--remove')) return removeKept()
  const isKept = flags.includes('--keep')
  await removeKept()
  say('Weave for Docker: two Docker hosts on this machine, and one network across them.\n')
  const stop = new AbortController()
  for (const name of signals) process.once(name, () => stop.abort())
  const lab = await step('starting two hosts, each with a Docker engine of its own, and etcd', () =>
    createLab({
      hosts: 2,
      engine: '20.10',
      store: 'etcd-as-docker-cluster-store',
      lifetime: isKept ? 'detached' : 'process',
    }),
  )
  try {
    await Promise.race([show(lab, stop.signal), interruption(stop.signal)])
  } catch (error) {
    if (stop.signal.aborted) say('\ninterrupted; removing the hosts')
    await lab[Symbol.asyncDispose]()
    if (stop.signal.aborted) process.exit(interruptedExit)
    throw error
  }
  if (isKept) return sayKept()
  await lab[Symbol.asyncDispose]()
  say(`\nDone in ${seconds(startedMs)}. Nothing is left behind.`)
}

async function show(lab: Lab, signal: AbortSignal): Promise<void> {
  const [host1, host2] = [lab.host(1), lab.host(2)]
  const type = typist(signal)
  await type(host1, 'weave launch')
  await type(host2, 'weave launch host1')
  await type(host1, 'weave launch-plugin')
  await type(host2, 'weave launch-plugin')
  await type(host1, 'docker network create --driver=weave weave')
  await type(
    host2,
    `docker run -d --net=weave --name web ubuntu sh -c 'echo hello from host2 >/tmp/index.html; httpd -f -h /tmp'`,
  )
  const ping = await type(host1, 'docker run --rm --net=weave ubuntu ping -c 3 web')
  const page = await type(host1, 'docker run --rm --net=weave ubuntu wget -qO- http://web/')
  await type(host1, 'weave status')
  const speed = await step('measuring throughput, host to host and container to container', () =>
    measureThroughput(host1, host2),
  )
  const [, lost = '?'] = /(\d+% packet loss)/.exec(ping) ?? []
  const [, average = '?'] = /= [\d.]+\/([\d.]+)\//.exec(ping) ?? []
  say(`
Summary
  ping by name, across hosts    ${lost}, ${average} ms on average
  HTTP by name, across hosts    "${page.trim()}"
  TCP, one stream               ${gigabits(speed.hosts)} host to host, ${gigabits(speed.containers)} container to container (${(speed.containers / speed.hosts).toFixed(2)})`)
}

/** What runs a line on a host as a user would, and shows both. Silent once interrupted. */
function typist(signal: AbortSignal): (host: Host, line: string) => Promise<string> {
  return async (host, line) => {
    say(`\n${host.name}$ ${line}`)
    const { stdout, stderr, code } = await host.run(line, { deadlineMs: 120_000, signal })
    const text = [stdout, stderr].map((part) => part.trimEnd()).filter((part) => part !== '')
    for (const printed of text.join('\n').split('\n')) say(`  ${printed}`.trimEnd())
    if (code !== 0) throw new Error(`"${line}" failed on ${host.name} with exit status ${code}`)
    return stdout
  }
}

async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const from = Date.now()
  process.stdout.write(`… ${what}`)
  const result = await work()
  say(` (${seconds(from)})`)
  return result
}

function sayKept(): void {
  say(`
Done in ${seconds(startedMs)}. The hosts stay up:

  sudo script/enter host1        a shell on a host; try: weave status, docker ps
  sudo script/demo --remove      removes both`)
}

/** Never resolves; rejects on Ctrl-C and the like. */
async function interruption(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted()
  return await new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('interrupted')))
  })
}

async function removeKept(): Promise<void> {
  for (const directory of await keptLabs()) {
    await step(`removing the hosts of an earlier demo`, () => removeLab(directory))
  }
}

async function keptLabs(): Promise<readonly string[]> {
  const names = await readdir(labsDirectory).catch(() => [])
  const labs = names.map((name) => path.join(labsDirectory, name))
  const kept: string[] = []
  for (const lab of labs) {
    const record = await readRecord(lab).catch(() => undefined)
    if (record?.lifetime === 'detached') kept.push(lab)
  }
  return kept
}

/** The command line that puts a shell on a host, for the script to run in its own terminal. */
async function printEntrance(name: string): Promise<void> {
  for (const directory of await keptLabs()) {
    const { machines } = await readRecord(directory)
    const machine = machines.findLast((one) => one.name === name)
    if (machine === undefined) continue
    const search = `${path.join(productPrefix, 'bin')}:/usr/sbin:/usr/bin:/sbin:/bin`
    say(`nsenter -t ${machine.pid} -m -n -u -i -p -- env -i PATH=${search} HOME=/root TERM=xterm`)
    return
  }
  throw new Error(`there is no host ${name}: start the hosts with "sudo script/demo --keep"`)
}

function gigabits(bitsPerSecond: number): string {
  return `${(bitsPerSecond / 1e9).toFixed(1)} Gbit/s`
}

function seconds(fromMs: number): string {
  return `${((Date.now() - fromMs) / 1000).toFixed(1)} s`
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`weave: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
