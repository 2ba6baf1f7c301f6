import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openShelf } from './shelf.ts'
import type { Shelf } from './shelf.ts'

let folder = ''
let asides: string[] = []

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'shelf-'))
  asides = []
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

function open(): Promise<Shelf<string, number>> {
  return openShelf({
    folder: path.join(folder, 'records'),
    asideFolder: path.join(folder, 'aside'),
    isId: (value): value is string => typeof value === 'string' && /^[a-z]+$/.test(value),
    isValue: (value): value is number => typeof value === 'number',
    survives: 'power-cut',
    onSetAside: (problem) => asides.push(problem),
  })
}

test('a shelf opened again holds what was set and not what was deleted', async () => {
  const shelf = await open()
  await shelf.set('a', 1)
  await shelf.set('b', 2)
  await shelf.set('b', 3)
  await shelf.delete('a')
  await shelf.delete('never')

  expect((await open()).all).toEqual(new Map([['b', 3]]))
})

test('a corrupt file is set aside by name, and the rest is read', async () => {
  const shelf = await open()
  await shelf.set('good', 1)
  await writeFile(path.join(folder, 'records', 'bad.json'), '{"half":')
  await writeFile(path.join(folder, 'records', 'good.json.1.tmp'), '2')

  expect((await open()).all).toEqual(new Map([['good', 1]]))
  expect(asides).toEqual([expect.stringContaining('bad.json was not understood')])
  const [kept = ''] = await readdir(path.join(folder, 'aside'))
  expect(await readFile(path.join(folder, 'aside', kept), 'utf8')).toBe('{"half":')
  expect(await readdir(path.join(folder, 'records'))).toEqual(['good.json'])
})
