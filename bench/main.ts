/**
 * `npm run bench`: runs the benchmarks on a lab of two Docker hosts, prints one table, and writes the
 * same figures with all their samples as JSON.
 *
 *   npm run bench -- [--only=NAME]… [--quick] [--json=FILE] [--prefix=DIR]
 *
 * Needs root and what `script/test` installs, and an installed weave: `script/install --prefix=build/prefix`.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus, loadavg, release } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { repository } from '../test/support/lab/places.ts'
import { measureDockerRun } from './docker-run.ts'
import { measureFirstAnswer } from './first-answer.ts'
import { measureNames } from './names/names.ts'
import { measurePluginCalls } from './plugin-calls.ts'
import { measureRouterScale } from './router-scale.ts'
import { renderReport, renderSection } from './support/report.ts'
import type { Report, Section } from './support/report.ts'
import { createScene } from './support/scene.ts'
import type { Scene } from './support/scene.ts'
import { measureToday } from './today.ts'
import { measureTraffic } from './traffic.ts'

type Benchmark = (scene: Scene, options: { quick: boolean }) => Promise<readonly Section[]>

const benchmarks: Readonly<Record<string, Benchmark>> = {
  traffic: measureTraffic,
  calls: measurePluginCalls,
  answer: measureFirstAnswer,
  run: measureDockerRun,
  scale: measureRouterScale,
}

type LabBenchmark = (
  options: { quick: boolean },
  prefix: string | undefined,
) => Promise<readonly Section[]>

/** In labs of their own, on other engines. */
const labBenchmarks: Readonly<Record<string, LabBenchmark>> = {
  today: measureToday,
  names: measureNames,
}
const all = [...Object.keys(benchmarks), ...Object.keys(labBenchmarks)]

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: all },
    quick: { type: 'boolean', default: false },
    json: { type: 'string', default: path.join(repository, 'build/bench.json') },
    prefix: { type: 'string' },
  },
})

const unknown = values.only.find((name) => !all.includes(name))
if (unknown !== undefined) {
  throw new Error(`unknown benchmark ${unknown}; there are: ${all.join(', ')}`)
}

const report: Report = {
  machine: await describeMachine(),
  date: new Date().toISOString().slice(0, 10),
  loadBefore: loadavg()[0] ?? 0,
  sections: await runAll(),
}
await mkdir(path.dirname(values.json), { recursive: true })
await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`)
console.log(renderReport(report))
console.error(`\nAll samples: ${values.json}`)

async function runAll(): Promise<readonly Section[]> {
  const { quick, prefix } = values
  const chosen = Object.entries(benchmarks).filter(([name]) => values.only.includes(name))
  const sections = chosen.length === 0 ? [] : [...(await runOnScene(chosen))]
  for (const [name, benchmark] of Object.entries(labBenchmarks)) {
    if (!values.only.includes(name)) continue
    say(name)
    sections.push(...told(await benchmark({ quick }, prefix)))
  }
  return sections
}

async function runOnScene(chosen: readonly [string, Benchmark][]): Promise<readonly Section[]> {
  const { quick, prefix } = values
  say('starting two Docker hosts')
  await using scene = await createScene(prefix)
  const sections: Section[] = []
  for (const [name, benchmark] of chosen) {
    say(name)
    sections.push(...told(await benchmark(scene, { quick })))
  }
  return sections
}

function told(sections: readonly Section[]): readonly Section[] {
  for (const section of sections) say(`\n${renderSection(section)}\n`)
  return sections
}

/** Progress goes to stderr: what is printed to stdout is the table. */
function say(text: string): void {
  console.error(text)
}

async function describeMachine(): Promise<string> {
  const model = cpus()[0]?.model ?? 'an unknown processor'
  const memory = await readFile('/proc/meminfo', 'utf8')
  const kib = Number(/MemTotal:\s+(\d+)/.exec(memory)?.[1] ?? 0)
  const gib = Math.round(kib / 2 ** 20)
  return `${model}, ${cpus().length} cores, ${gib} GiB, Linux ${release()}, Node ${process.version}, both hosts on this one machine`
}
