/**
 * Keeps `docs/operations/configuration.md` equal to the code: every flag of every command, the exit
 * statuses, the variables and the directories.
 */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { testContext } from '../../test/support/cli-context.ts'
import { defaultPort, portsOf } from '../settings/launch.ts'
import { directoryVariables, readPaths } from '../settings/paths.ts'
import { commands, retired } from './commands.ts'
import { buildProgram, exitStatuses } from './run.ts'

const page = readFileSync('docs/operations/configuration.md', 'utf8')

test.each(commands)(
  'the section of weave $name lists its flags as the help does',
  async (entry) => {
    const program = await buildProgram(testContext().context, { load: (one) => one === entry })
    const command = program.commands.find((one) => one.name() === entry.name)
    const rows = command?.options.map(
      ({ flags, description }) => `| \`${flags}\` | ${description} |`,
    )
    expect(sectionOf(`weave ${entry.name}`).filter((line) => line.startsWith('| `'))).toEqual(rows)
  },
)

test('every section about a command has its command', () => {
  const sections = [...page.matchAll(/^## weave (.+)$/gm)].map(([, name]) => name)
  expect(sections).toEqual(commands.map(({ name }) => name))
})

test('the exit statuses are those of the help', () => {
  const rows = exitStatuses
    .map((line) => /^(\d+) +(.*)$/.exec(line))
    .map((found) => `| ${found?.[1]} | ${found?.[2]} |`)
  expect(sectionOf('Exit statuses').filter((line) => /^\| \d/.test(line))).toEqual(rows)
})

test('the variables that move a directory are named with where it is without them', () => {
  const rows = Object.entries(directoryVariables).map(
    ([name, dir]) => `| \`${name}\` | \`${dir}\` |`,
  )
  expect(sectionOf('Directories')).toEqual(expect.arrayContaining(rows))
})

test('every file that the paths name is described', () => {
  const paths = Object.values(readPaths({}))
  expect(paths.filter((one) => !page.includes(`\`${one}\``))).toEqual([])
})

test('the ports are those of the code', () => {
  const rows = Object.values(portsOf(defaultPort)).map((port) => `| ${port} |`)
  const found = sectionOf('Ports').map((line) => /^\| \d+ \|/.exec(line)?.[0])
  expect(found.filter((row) => row !== undefined)).toEqual(rows)
})

test('every command of old that is gone is listed with what replaces it', () => {
  const rows = Object.entries(retired).map(([name, hint]) => `| \`${name}\` | ${hint} |`)
  expect(
    sectionOf('Commands of Weave Net that are gone').filter((line) => line.startsWith('| `')),
  ).toEqual(rows)
})

function sectionOf(heading: string): string[] {
  const lines = page.split('\n')
  const start = lines.indexOf(`## ${heading}`)
  if (start === -1) return []
  const end = lines.findIndex((line, index) => index > start && line.startsWith('## '))
  return lines
    .slice(start + 1, end === -1 ? undefined : end)
    .map((line) => line.replaceAll(/ +\|/g, ' |').replaceAll(/\| +/g, '| '))
}
