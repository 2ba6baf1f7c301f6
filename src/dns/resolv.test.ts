import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { readNameservers, watchNameservers } from './resolv.ts'

test('nameservers are read as resolv.conf(5) has them: three at most, in order', () => {
  const text = [
    '# nameserver 192.0.2.99',
    '; nameserver 192.0.2.98',
    'search example.com',
    'nameserver 192.0.2.1',
    'nameserver\tfd00::1   # the second',
    'nameserver fe80::1%eth0',
    'nameserver 192.0.2.4',
    'options ndots:0',
  ].join('\n')

  expect(readNameservers(text)).toEqual(['192.0.2.1', 'fd00::1', 'fe80::1%eth0'])
})

test.each([
  '',
  'nameserver',
  'nameserver ',
  ' nameserver 192.0.2.1',
  'nameservers 192.0.2.1',
  'nameserver example.com',
  'nameserver 192.0.2.256',
  'nameserver 192.0.2.1,192.0.2.2',
])('%j names none', (text) => {
  expect(readNameservers(text)).toEqual([])
})

test('line ends of Windows do no harm', () => {
  expect(readNameservers('nameserver 192.0.2.1\r\nnameserver 192.0.2.2\r\n')).toEqual([
    '192.0.2.1',
    '192.0.2.2',
  ])
})

test('the file is read again when it has changed, looked at once a second, and missed without harm', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'weave-resolv-'))
  const file = path.join(directory, 'resolv.conf')
  let now = 0
  const servers = watchNameservers(file, () => now)

  expect(servers()).toEqual([])
  await writeFile(file, 'nameserver 192.0.2.1\n')
  expect(servers()).toEqual([])
  now = 1000
  expect(servers()).toEqual([{ address: '192.0.2.1', port: 53 }])

  await writeFile(`${file}.new`, 'nameserver 192.0.2.2\n')
  await rename(`${file}.new`, file)
  now = 1999
  expect(servers()).toEqual([{ address: '192.0.2.1', port: 53 }])
  now = 2000
  expect(servers()).toEqual([{ address: '192.0.2.2', port: 53 }])

  await rm(directory, { recursive: true })
  now = 3000
  expect(servers()).toEqual([{ address: '192.0.2.2', port: 53 }])
})
