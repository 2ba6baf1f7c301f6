import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isNetworkId } from '../model/cluster.ts'
import type { NetworkId } from '../model/cluster.ts'
import { openMemory } from './memory.ts'
import type { Memory } from './memory.ts'

let directory = ''
let problems: string[] = []

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'weave-memory-'))
  problems = []
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

test('what was changed is there after a restart, however many changed it at once', async () => {
  const memory = await open()
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`)

  await Promise.all(
    names.map((name) =>
      memory.change((now) => ({ ...now, networks: { ...now.networks, [name]: id(name) } })),
    ),
  )

  expect((await open()).now().networks).toEqual(Object.fromEntries(names.map((n) => [n, n])))
})

test.each(['{"networks":', '[]', '{"networks":{"a":"b/c"},"doomed":[]}', ''])(
  'a file that says %j is set aside, kept, and named',
  async (text) => {
    await writeFile(path.join(directory, 'weave.json'), text)

    expect((await open()).now()).toEqual({ networks: {}, doomed: [] })
    expect(problems).toEqual([expect.stringContaining('weave.json')])
    const [kept = ''] = await readdir(path.join(directory, 'aside'))
    expect(await readFile(path.join(directory, 'aside', kept), 'utf8')).toBe(text)
  },
)

test('a change that could not be written is not believed, and does not block the next', async () => {
  const memory = await open()
  await memory.change((now) => ({ ...now, scope: 'local' }))
  await rm(directory, { recursive: true })
  await writeFile(directory, 'in the way')

  await expect(memory.change((now) => ({ ...now, scope: 'global' }))).rejects.toThrow(
    'ENOTDIR: not a directory, open',
  )
  expect(memory.now().scope).toBe('local')

  await rm(directory)
  await memory.change((now) => ({ ...now, scope: 'global' }))
  expect(memory.now().scope).toBe('global')
})

test('what was forgotten is told for a minute', async () => {
  let now = 0
  const memory = await open(() => now)
  await memory.change((before) => ({ ...before, networks: { one: id('n'), two: id('m') } }))
  await memory.change((before) => ({ ...before, networks: { two: id('m') } }))
  expect([...memory.forgotten()]).toEqual(['one'])
  now = 60_000
  expect([...memory.forgotten()]).toEqual(['one'])
  now = 60_001
  expect([...memory.forgotten()]).toEqual([])
})

function open(nowMs?: () => number): Promise<Memory> {
  return openMemory({
    ...(nowMs === undefined ? {} : { nowMs }),
    file: path.join(directory, 'weave.json'),
    asideDir: path.join(directory, 'aside'),
    onSetAside: (problem) => problems.push(problem),
  })
}

function id(text: string): NetworkId {
  if (!isNetworkId(text)) throw new Error(text)
  return text
}
