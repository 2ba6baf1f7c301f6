/**
 * Every fault there is. `docs/operations/faults.md` describes the same list; a test keeps the two
 * in step. Grouped by what the operator was doing when it appeared.
 */

import { defineFault } from './fault.ts'

// sysexits.h: what a command exits with, so that scripts can tell the kinds apart.
const USAGE = 64
const DATA = 65
const UNAVAILABLE = 69
const TEMPORARY = 75
const NO_PERMISSION = 77

// ── Command line ────────────────────────────────────────────────────────────────────────────────

export const badArgument = defineFault(
  'BAD_ARGUMENT',
  USAGE,
  (what: string, value: string, remedy: string) => ({
    summary: `${what}: ${JSON.stringify(value)} is not valid`,
    remedy,
  }),
)

export const notRoot = defineFault('NOT_ROOT', NO_PERMISSION, (command: string) => ({
  summary: `"${command}" needs root`,
  remedy: `Run "sudo ${command}".`,
}))

export const routerNotRunning = defineFault(
  'ROUTER_NOT_RUNNING',
  UNAVAILABLE,
  (socket: string) => ({
    summary: `no router answers on ${socket}`,
    remedy: 'Start it with "weave launch [peers]".',
  }),
)

export const alreadyRunning = defineFault('ALREADY_RUNNING', TEMPORARY, (runAs: string) => ({
  summary: `the router is already running on this host (as ${runAs})`,
  remedy: 'See "weave status". To change its settings: "weave stop", then "weave launch" again.',
}))

// ── The router's socket ─────────────────────────────────────────────────────────────────────────

export const badRequest = defineFault('BAD_REQUEST', DATA, (problem: string) => ({
  summary: `the request was not understood: ${problem}`,
  remedy:
    'Nothing was changed. See ARCHITECTURE.md for the API; the CLI and the router must match.',
}))

export const deadlinePassed = defineFault(
  'DEADLINE_PASSED',
  TEMPORARY,
  (what: string, ms: number) => ({
    summary: `${what} took longer than ${ms} ms and was given up`,
    remedy: 'See "weave status" for what is slow; repeating the call is safe.',
  }),
)

// ── Store ───────────────────────────────────────────────────────────────────────────────────────

export const storeUnreachable = defineFault(
  'STORE_UNREACHABLE',
  UNAVAILABLE,
  (endpoints: readonly string[], reason: string) => ({
    summary: `no etcd endpoint answered (${endpoints.join(', ')}): ${reason}`,
    remedy:
      'Check that etcd runs there and that this host can reach it. Running containers keep their connectivity meanwhile.',
  }),
)
