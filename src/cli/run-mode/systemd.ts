/**
 * Keeps a program up as a systemd unit.
 *
 * The trap: dockerd asks for its plugins while it restores containers at boot, and waits for those
 * that are missing. Our units therefore start before docker.service and need nothing of it.
 *
 * `stop` disables a unit but leaves the file, where an operator may look at it; `remove` takes it
 * away. A unit file that we did not write is refused, never overwritten.
 */

import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runModeUnavailable } from '../../model/faults.ts'
import { mustRun } from '../program.ts'
import type { RunProgram } from '../program.ts'
import type { Handle, Keeper } from './keeper.ts'
import type { Service } from './service.ts'

interface SystemdOptions {
  readonly run: RunProgram
  /** Where units of the administrator lie. */
  readonly unitDir?: string
  /** Exists exactly where systemd is the init system, sd_booted(3). */
  readonly bootedMark?: string
}

const systemctlTimeoutMs = 60_000
const marker = '# Written by "weave launch"; changes belong in a drop-in ("systemctl edit").'

export function createSystemdKeeper(options: SystemdOptions): Keeper {
  const { run, unitDir = '/etc/systemd/system', bootedMark = '/run/systemd/system' } = options
  return {
    mode: 'systemd',
    async obstacle() {
      const booted = await stat(bootedMark).catch(() => undefined)
      return booted === undefined ? 'systemd does not run this machine' : undefined
    },
    async start(service, signal) {
      await writeUnit(fileOf(service.unit), formatUnit(service))
      await systemctl(signal, 'daemon-reload')
      await systemctl(signal, 'enable', service.unit)
      await systemctl(signal, 'restart', service.unit)
      return { service: service.name, runAs: 'systemd', target: service.unit }
    },
    async isUp({ target }, signal) {
      const argv = ['systemctl', 'is-active', target]
      const { stdout } = await run(argv, { timeoutMs: systemctlTimeoutMs, signal })
      // "activating" is also the pause before a restart.
      return ['active', 'activating', 'reloading'].includes(stdout.trim())
    },
    async stop({ target }, signal) {
      if ((await readUnit(fileOf(target))) === undefined) return
      await systemctl(signal, 'disable', '--now', target)
    },
    letGo: () => Promise.resolve(),
    remove: ({ target }: Handle, signal) =>
      removeUnit(fileOf(target), () => systemctl(signal, 'daemon-reload')),
    logOf: ({ unit }) => `journalctl -u ${unit}`,
  }

  function fileOf(unit: string): string {
    return path.join(unitDir, unit)
  }

  function systemctl(signal: AbortSignal, ...args: string[]): Promise<string> {
    return mustRun(run, ['systemctl', ...args], { timeoutMs: systemctlTimeoutMs, signal })
  }
}

export function formatUnit(service: Service): string {
  const { description, argv, env, restart, after } = service
  const lines = [
    marker,
    '[Unit]',
    `Description=${description}`,
    'Wants=network-online.target',
    `After=${['network-online.target', ...after].join(' ')}`,
    'Before=docker.service',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=exec',
    ...Object.entries(env).map(([name, value]) => `Environment=${quote(`${name}=${value}`)}`),
    `ExecStart=${argv.map(quote).join(' ')}`,
    `Restart=${restart}`,
    'RestartSec=1',
    // Our own children (the managed store) are ended by their parent, in order.
    'KillMode=mixed',
    'TimeoutStopSec=30',
    'LimitNOFILE=65536',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ]
  return `${lines.join('\n')}\n`
}

/** systemd.service(5), "Command lines": C-like quotes; `%` and `$` are taken literally when doubled. */
function quote(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  if (/^[\w@%+=:,./$-]+$/.test(escaped)) return escaped
  return `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', String.raw`\"`)}"`
}

async function writeUnit(file: string, text: string): Promise<void> {
  const old = await readUnit(file)
  if (old !== undefined && !old.startsWith(marker)) {
    throw runModeUnavailable('systemd', `${file} was written by somebody else`)
  }
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, text, { mode: 0o644 })
}

async function removeUnit(file: string, reload: () => Promise<unknown>): Promise<string[]> {
  const text = await readUnit(file)
  if (text === undefined || !text.startsWith(marker)) return []
  await rm(file, { force: true })
  await reload()
  return [`unit ${file}`]
}

function readUnit(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined)
}
