import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as faults from './faults.ts'
import { version } from './version.ts'

const codes = Object.values(faults).map(({ code }) => code)
const documented = readFileSync('docs/operations/faults.md', 'utf8').match(/(?<=^## )[A-Z0-9_]+$/gm)

test('docs/operations/faults.md describes every fault, and no others', () => {
  expect(documented?.toSorted()).toEqual([...codes].toSorted())
})

test('no two faults share a code', () => {
  expect(new Set(codes).size).toBe(codes.length)
})

test('a fault carries its remedy and its cause', () => {
  const cause = new Error('ENOENT')
  const fault = faults.routerNotRunning('/run/weave/weave.sock').causedBy(cause)
  expect(fault).toMatchObject({ code: 'ROUTER_NOT_RUNNING', exit: 69, cause })
  expect(fault.remedy).toContain('weave launch')
})

test('the version is that of the package', () => {
  expect(JSON.parse(readFileSync('package.json', 'utf8'))).toMatchObject({ version })
})
