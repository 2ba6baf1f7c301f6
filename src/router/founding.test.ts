import { expect, test } from 'vitest'
import { formatFounding, parseFounding } from './founding.ts'

const note = { cluster: 'c'.repeat(32), founder: '10.0.0.1:6783', nodeId: 'n1' }

test('a note is read as it was written', () => {
  expect(parseFounding(formatFounding(note))).toEqual(note)
})

test.each([
  '',
  'null',
  '[]',
  'some config of somebody else',
  JSON.stringify({ ...note, cluster: 'mine' }),
  JSON.stringify({ ...note, founder: 'http://10.0.0.1' }),
  JSON.stringify({ cluster: note.cluster, founder: note.founder }),
])('%j is no note of ours', (text) => {
  expect(parseFounding(text)).toBeUndefined()
})
