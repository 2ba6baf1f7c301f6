import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findSandbox, ownerOf } from './sandbox.ts'

const web = 'c2ce8a03998c3d224518f9e9ea333dea778933b5c4f0c0bf4612292ccae60d20'
const outer = 'f'.repeat(64)

let proc = ''

beforeEach(async () => {
  proc = await mkdtemp(path.join(tmpdir(), 'weave-proc-'))
  await mkdir(path.join(proc, 'namespaces'))
})

afterEach(async () => {
  await rm(proc, { recursive: true })
})

test('a namespace is found, and a file that is none yet is not', async () => {
  const own = '/proc/self/ns/net'
  const { ino } = await stat(own, { bigint: true })
  expect(await findSandbox(own)).toEqual({ file: own, inode: ino })

  await writeFile(path.join(proc, 'empty'), '')
  expect(await findSandbox(path.join(proc, 'empty'))).toBeUndefined()
  expect(await findSandbox(path.join(proc, 'missing'))).toBeUndefined()
})

test.each([
  ['cgroup v1', `9:name=systemd:/docker/${web}\n8:pids:/docker/${web}\n`],
  ['cgroup v2', `0::/system.slice/docker-${web}.scope\n`],
  ['a view of its own', `0::/../${web}\n`],
  ['an engine in a container', `0::/docker/${outer}/docker/${web}\n`],
])(
  'the owner of a namespace is told by the control group of a process: %s',
  async (_what, groups) => {
    await process(900, { namespace: 'other', groups: `0::/docker/${outer}\n` })
    await process(800, { namespace: 'its', groups: '0::/system.slice/docker.service\n' })
    await process(20, { namespace: 'its', groups })
    expect(await ownerOf(await inode('its'), proc)).toBe(web)
  },
)

test('a namespace without a process of a container is nobody’s', async () => {
  await process(800, { namespace: 'its', groups: '0::/system.slice/docker.service\n' })
  await namespace('empty')
  expect(await ownerOf(await inode('its'), proc)).toBeUndefined()
  expect(await ownerOf(await inode('empty'), proc)).toBeUndefined()
})

async function process(
  pid: number,
  options: { readonly namespace: string; readonly groups: string },
): Promise<void> {
  const folder = path.join(proc, String(pid))
  await mkdir(path.join(folder, 'ns'), { recursive: true })
  await writeFile(path.join(folder, 'cgroup'), options.groups)
  await namespace(options.namespace)
  await symlink(file(options.namespace), path.join(folder, 'ns/net'))
}

async function namespace(name: string): Promise<void> {
  await writeFile(file(name), '')
}

async function inode(name: string): Promise<bigint> {
  return (await stat(file(name), { bigint: true })).ino
}

function file(name: string): string {
  return path.join(proc, 'namespaces', name)
}
