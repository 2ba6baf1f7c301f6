/**
 * `weave status [view] [-o json]`: what the router of this host knows.
 *
 * Exits with 75 when the router runs but is not ready, so that scripts can wait for it.
 */

import type { Command } from 'commander'
import type { Status } from '../control/messages.ts'
import { badUsage, routerNotRunning } from '../model/faults.ts'
import { given, oneOf } from '../settings/flags.ts'
import type { Flags } from '../settings/flags.ts'
import { nearest } from '../settings/nearest.ts'
import { driverOf } from '../settings/plugin.ts'
import { tryConnections } from './connections.ts'
import type { Context } from './context.ts'
import { nameRows } from './name-rows.ts'
import { answersOn } from './plugin-socket.ts'
import { readRecords } from './run-mode/record.ts'
import { readFault } from './run-mode/start.ts'
import { openRouter, statusIfRunning } from './running.ts'
import {
  viewConnections,
  viewDns,
  viewEndpoints,
  viewIpam,
  viewNetworks,
  viewPeers,
  viewStore,
  viewSummary,
} from './views.ts'
import type { PluginStatus } from './views.ts'

const views = [
  'summary',
  'peers',
  'connections',
  'networks',
  'endpoints',
  'ipam',
  'dns',
  'store',
] as const
type View = (typeof views)[number]
const formats = ['text', 'json'] as const

/** sysexits.h, EX_TEMPFAIL. */
const notReadyExit = 75

interface Answer {
  readonly text: string
  readonly json: unknown
}

export function configure(command: Command, context: Context): void {
  command
    .argument('[view]', `${views.join(', ')} (default: summary)`)
    .option('-o, --output <format>', `${formats.join(', ')} (default: text)`)
    .addHelpText(
      'after',
      `
Examples:
  weave status
  weave status endpoints -o json

Exit status 75: the router runs but is not ready.`,
    )
    .action((view: string | undefined, options: Flags) =>
      status(
        {
          view: readView(view ?? 'summary'),
          format: given(options, 'output', (text) => oneOf('--output', text, formats)) ?? 'text',
        },
        context,
      ),
    )
}

async function status(
  { view, format }: { readonly view: View; readonly format: (typeof formats)[number] },
  context: Context,
): Promise<void> {
  const { paths, signal, print, exitWith } = context
  using router = openRouter(context)
  const found = await statusIfRunning(router, signal)
  if (found === undefined) {
    throw (await readFault(paths.routerFaultFile)) ?? routerNotRunning(paths.routerSocket)
  }
  const { text, json } = await show(view, { status: found, context })
  print(format === 'json' ? JSON.stringify(json, null, 2) : text)
  if (!found.ready) exitWith(notReadyExit)
}

async function show(
  view: View,
  { status: found, context }: { readonly status: Status; readonly context: Context },
): Promise<Answer> {
  switch (view) {
    case 'summary':
      return { text: viewSummary(found, await pluginStatuses(context)), json: found }
    case 'peers':
      return { text: viewPeers(found), json: found.peers }
    case 'connections': {
      const connections = await tryConnections(found, context.signal)
      return { text: viewConnections(connections), json: connections }
    }
    case 'networks':
      return { text: viewNetworks(found), json: found.networks }
    case 'endpoints':
      return { text: viewEndpoints(found), json: found.endpoints }
    case 'ipam':
      return { text: viewIpam(found), json: found.pools }
    case 'dns': {
      const { added: _added, ...dns } = found.dns
      return { text: viewDns(found), json: { ...dns, names: nameRows(found) } }
    }
    case 'store':
      return { text: viewStore(found), json: { ...found.store, cluster: found.cluster.id } }
  }
}

async function pluginStatuses({ paths, signal }: Context): Promise<readonly PluginStatus[]> {
  const records = await readRecords(paths)
  const plugins = records.flatMap(({ socket, runAs }) =>
    socket === undefined ? [] : [{ socket, runAs }],
  )
  return Promise.all(
    plugins.map(async ({ socket, runAs }) => {
      const answers = await answersOn(socket, signal)
      return { driver: driverOf(socket), socket, runAs, state: answers ? 'answering' : 'silent' }
    }),
  )
}

function readView(text: string): View {
  const view = views.find((one) => one === text)
  if (view !== undefined) return view
  const near = nearest(text, views)
  throw badUsage(
    `"weave status" has no view "${text}"`,
    near === undefined ? `Views: ${views.join(', ')}.` : `Did you mean "weave status ${near}"?`,
  )
}
