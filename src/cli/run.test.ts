import { expect, test } from 'vitest'
import { testContext } from '../../test/support/cli-context.ts'
import { commands, retired } from './commands.ts'
import { run } from './run.ts'
import { formatTable } from './table.ts'

test.each([
  [['lanuch'], 'Did you mean "weave launch"?'],
  [['Stop'], 'Did you mean "weave stop"?'],
  [['frobnicate'], '"weave help" lists the commands.'],
  [['attach', 'c1'], 'docker network connect'],
  [['constructor'], '"weave help" lists the commands.'],
  [['launch', '--prot=1'], 'Did you mean --port?'],
  [['launch', '--port'], 'argument missing'],
  [['launch', '--port=0'], 'Nearest: 1'],
  [['stop', 'x'], 'too many arguments'],
  [['stop-plugin', '--al'], 'Did you mean --all?'],
  [['stop-plugin', '--all', '--socket=/a.sock'], 'cannot be used with'],
  [['status', 'peer'], 'Did you mean "weave status peers"?'],
  [['--frob'], 'weave --help'],
  [['help', 'lanuch'], 'Did you mean "weave launch"?'],
])('%j is refused with status 64 and the nearest right one', async (argv, right) => {
  const { context, noted, exits } = testContext()
  await run(argv, context)
  expect(exits).toEqual([64])
  expect(noted[0]).toContain(right)
  expect(noted[0]).toMatch(/^weave: .*\n {2}.* \[[A-Z_]+\]$/)
})

test.each(commands.map(({ name }) => name))(
  'weave %s --help ends well, with an example',
  async (name) => {
    const text = await helpOf([name, '--help'])
    expect(text).toContain(`Usage: weave ${name}`)
    expect(text).toMatch(/Examples?:\n {2}weave /)
    expect(await helpOf(['help', name])).toBe(text)
  },
)

test('weave alone, help and --help show all commands and the exit statuses', async () => {
  const text = await helpOf([])
  for (const { name } of commands) expect(text).toContain(`  ${name} `)
  expect(text).toContain('Exit status:')
  expect(await helpOf(['help'])).toBe(text)
  expect(await helpOf(['--help'])).toBe(text)
  expect(await helpOf(['-h'])).toBe(text)
})

test('the version is shown without a router', async () => {
  const { context, printed, exits } = testContext()
  await run(['version'], context)
  await run(['--version'], context)
  expect(printed).toEqual(['weave 1.2.3', 'weave 1.2.3'])
  expect(exits).toEqual([])
})

test('no command of today is called retired', () => {
  expect(commands.filter(({ name }) => Object.hasOwn(retired, name))).toEqual([])
})

test('router and plugin are started with what was typed, and their status is ours', async () => {
  const installation = { router: ['sh', '-c', 'exit $#', 'x'], plugin: ['sh', '-c', 'exit 3'] }
  const { context, exits } = testContext({ installation })
  await run(['router'], context)
  await run(['router', '--no-restart', 'host1'], context)
  await run(['plugin'], context)
  expect(exits).toEqual([0, 4, 3])
})

test('a table is aligned and has no trailing spaces', () => {
  expect(
    formatTable(
      ['a', 'long'],
      [
        ['bbb', ''],
        ['c', 'd'],
      ],
    ),
  ).toBe('A    LONG\nbbb\nc    d')
  expect(formatTable(['a'], [])).toBeUndefined()
})

async function helpOf(argv: string[]): Promise<string> {
  const { context, printed, exits } = testContext()
  await run(argv, context)
  expect(exits).toEqual([])
  return printed.join('\n')
}
