import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { settingsOf } from '../../test/support/spread-world.ts'
import { definitionId } from '../model/definition.ts'
import type { DefinitionId } from '../model/definition.ts'
import { readPaths } from '../settings/paths.ts'
import type { Paths } from '../settings/paths.ts'
import { openAdoptions, openDrivers } from './adopted.ts'

let directory = ''
let paths: Paths
const asides: string[] = []

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'weave-adopted-'))
  paths = readPaths({ WEAVE_STATE_DIR: directory })
  asides.length = 0
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

function setAside(problem: string): void {
  asides.push(problem)
}

function adoption(name: string): Parameters<Awaited<ReturnType<typeof openAdoptions>>['set']> {
  const settings = settingsOf('10.32.0.0/24')
  const definition = { driver: 'weave', name, generation: '0'.repeat(32), ...settings }
  const adopted = { definition, dockerId: 'n1', engine: 'e1', epoch: 'x', revision: 2n ** 60n }
  return [idOf(name), adopted]
}

function idOf(name: string): DefinitionId {
  const id = definitionId({ driver: 'weave', name })
  if (id === undefined) throw new Error(name)
  return id
}

test('what was adopted is known after a restart, whatever the name', async () => {
  const before = await openAdoptions(paths, setAside)
  for (const name of ['web', 'a b/c+d', '..']) await before.set(...adoption(name))
  await before.delete(idOf('web'))
  expect([...before.segments()]).toEqual(['10.32.0.0-24'])

  const after = await openAdoptions(paths, setAside)

  expect(new Map(after.all())).toEqual(new Map([adoption('a b/c+d'), adoption('..')]))
  expect(asides).toEqual([])
  expect(await readdir(paths.stateDir)).toEqual(['adopted'])
})

test('a broken file is set aside and costs the others nothing', async () => {
  const before = await openAdoptions(paths, setAside)
  await before.set(...adoption('web'))
  await writeFile(path.join(paths.adoptedDir, 'weave+db.json'), '{"dockerId":"n2"}')

  const after = await openAdoptions(paths, setAside)

  expect([...after.all().keys()]).toEqual(['weave/web'])
  expect(asides).toEqual([expect.stringContaining('weave+db.json')])
})

test('a driver is remembered with its scope, and the same again is no news', async () => {
  const before = await openDrivers(paths, setAside)
  expect(await before.put({ name: 'weave', scope: 'local' })).toBe(true)
  expect(await before.put({ name: 'weave', scope: 'local' })).toBe(false)
  await before.put({ name: 'other', scope: 'global' })

  const after = await openDrivers(paths, setAside)
  expect([...after.local()]).toEqual(['weave'])

  expect(await after.put({ name: 'weave', scope: 'global' })).toBe(true)
  expect(after.local().size).toBe(0)
})
