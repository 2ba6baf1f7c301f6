import { expect, test } from 'vitest'
import { nameContainer } from './called.ts'

const id = 'c2ce8a03998c3d224518f9e9ea333dea778933b5c4f0c0bf4612292ccae60d20'
const plain = { id, name: 'web', hostname: 'c2ce8a03998c', domainname: '' }
const options = { domain: 'weave.local' }

test('a container is called by its name, its ID and its aliases', () => {
  expect(nameContainer(plain, { network: 'front', aliases: ['www', 'api'] }, options)).toEqual({
    container: 'c2ce8a03998c',
    network: 'front',
    names: ['web', 'c2ce8a03998c', 'api', 'www'],
  })
})

test('its host name counts, alone and with its domain', () => {
  const { names } = nameContainer(
    { ...plain, hostname: 'Mail', domainname: 'example.com' },
    { network: 'front', aliases: [] },
    options,
  )
  expect(names).toEqual(['web', 'mail', 'mail.example.com', 'c2ce8a03998c'])
})

test('names in our own domain are kept without it', () => {
  const { names } = nameContainer(
    { ...plain, hostname: 'db', domainname: 'weave.local' },
    { network: 'front', aliases: ['API.Weave.Local'] },
    options,
  )
  expect(names).toEqual(['web', 'db', 'c2ce8a03998c', 'api'])
})

test('what cannot be a name is left out, and no container has too many', () => {
  const odd = ['-x', 'a..b', 'ä', 'x'.repeat(64), 'with space', '']
  const many = Array.from({ length: 100 }, (_, index) => `alias-${index}`)
  const { names } = nameContainer(plain, { network: 'n', aliases: [...odd, ...many] }, options)
  expect(names).toHaveLength(64)
  expect(names.slice(0, 3)).toEqual(['web', 'c2ce8a03998c', 'alias-0'])
})
