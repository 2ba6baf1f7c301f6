/**
 * Who may import whom. The table is the architecture; ARCHITECTURE.md gives the reasons.
 * Tests are exempt, and cycles between files are left to oxlint.
 */

import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

/** A module may import itself, what is listed here, and Node or npm packages if "outside" is listed. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  model: [],
  datapath: ['model'],
  spread: ['model'],
  naming: ['model'],
  reconcile: ['outside'],
  http: ['model', 'outside'],
  netlink: ['model', 'outside'],
  netfilter: ['model', 'outside'],
  dns: ['model', 'outside'],
  disk: ['model', 'outside'],
  settings: ['model', 'outside'],
  store: ['model', 'outside'],
  ipam: ['model', 'reconcile', 'store'],
  docker: ['model', 'http', 'outside'],
  control: ['model', 'http', 'outside'],
  targets: [
    'model',
    'datapath',
    'spread',
    'naming',
    'reconcile',
    'netlink',
    'netfilter',
    'dns',
    'disk',
    'store',
    'docker',
    'outside',
  ],
  router: everything(),
  plugin: everything(),
  managed: [...everything(), 'router', 'plugin'],
  cli: ['model', 'settings', 'control', 'outside'],
}

test.each(sources())('$file imports only what src/$module may', ({ module, imports }) => {
  const allowed = new Set([module, ...(mayImport[module] ?? [])])
  expect(imports.filter((target) => !allowed.has(target))).toEqual([])
})

test('every module is in the table', () => {
  expect(readdirSync('src').toSorted()).toEqual(Object.keys(mayImport).toSorted())
})

function sources(): { file: string; module: string; imports: string[] }[] {
  return readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => ({ file: `src/${name}`, module: firstSegment(name), imports: importsOf(name) }))
}

/** The modules that a file reaches by static, dynamic and type imports alike. */
function importsOf(name: string): string[] {
  const text = readFileSync(path.join('src', name), 'utf8')
  const specifiers = [...text.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
    ([, found = '']) => found,
  )
  return specifiers.map((specifier) =>
    specifier.startsWith('.') ? firstSegment(path.join(path.dirname(name), specifier)) : 'outside',
  )
}

function firstSegment(name: string): string {
  return name.split(path.sep)[0] ?? ''
}

/** The composition roots: what they choose from is all of it, but not each other. */
function everything(): readonly string[] {
  return [
    'model',
    'datapath',
    'spread',
    'naming',
    'reconcile',
    'dns',
    'http',
    'netlink',
    'netfilter',
    'disk',
    'settings',
    'store',
    'ipam',
    'docker',
    'control',
    'targets',
    'outside',
  ]
}
