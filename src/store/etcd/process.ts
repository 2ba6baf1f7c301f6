/** An etcd as a child of this process: what it is told, what it says, and how it is made to end. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'

export interface EtcdProcessOptions {
  readonly binary: string
  readonly dataDir: string
  /** The member's name: unique in its cluster. */
  readonly name: string
  /** Underlay address; IPv6 without brackets. */
  readonly address: string
  readonly clientPort: number
  readonly peerPort: number
  /** Members there are already, as they know of this one; left out by the host that founds. */
  readonly joins?: readonly Peer[]
  /** Told each line of its log. */
  readonly onLine: (line: string) => void
}

export interface Peer {
  readonly name: string
  readonly peerUrl: string
}

export interface EtcdProcess {
  readonly child: ChildProcess
  /** Resolves with why. */
  readonly ended: Promise<string>
}

/** Room for about a hundred times the records of a thousand hosts. */
const quotaBytes = 512 * 2 ** 20
const graceMs = 5000
/** Enough for the last words, also when a stack trace follows them. */
const keptLines = 60

export function spawnEtcd(options: EtcdProcessOptions): EtcdProcess {
  const args = ['--pdeathsig', 'TERM', '--', options.binary, ...etcdArguments(options)]
  const child = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    readLines(stream, (line) => {
      lines.push(line)
      if (lines.length > keptLines) lines.shift()
      options.onLine(line)
    })
  }
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => {
      resolve(lastWords(lines) ?? `etcd ended with ${signal ?? `status ${code ?? 0}`}`)
    })
  })
  return { child, ended }
}

export async function endEtcd({ child, ended }: EtcdProcess): Promise<void> {
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await ended
  clearTimeout(late)
}

export function peerUrl(address: string, port: number): string {
  return `http://${hostIn(address)}:${port}`
}

function etcdArguments(options: EtcdProcessOptions): readonly string[] {
  const { name, dataDir, address, clientPort, peerPort, joins } = options
  const client = `http://${hostIn(address)}:${clientPort}`
  const listen = new Set([client, `http://127.0.0.1:${clientPort}`])
  const peer = peerUrl(address, peerPort)
  const members = [...(joins ?? []), { name, peerUrl: peer }]
  return [
    `--name=${name}`,
    `--data-dir=${dataDir}`,
    `--listen-client-urls=${[...listen].join(',')}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=${members.map((member) => `${member.name}=${member.peerUrl}`).join(',')}`,
    `--initial-cluster-state=${joins === undefined ? 'new' : 'existing'}`,
    // Looked at by the very first start only: a store made anew is another cluster to etcd.
    `--initial-cluster-token=${randomBytes(8).toString('hex')}`,
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=1h',
    `--quota-backend-bytes=${quotaBytes}`,
    '--snapshot-count=10000',
    '--logger=zap',
    '--log-level=warn',
  ]
}

function hostIn(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

/** Its own variables (ETCD_…) would mean flags that we did not give. */
function environment(): NodeJS.ProcessEnv {
  const path = { PATH: process.env['PATH'] }
  // etcd 3.4 refuses to start on ARM unless it is told that this is meant.
  return process.arch === 'arm64' ? { ...path, ETCD_UNSUPPORTED_ARCH: 'arm64' } : path
}

function readLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') onLine(line)
  })
  stream.on('end', () => {
    if (rest !== '') onLine(rest)
  })
}

/** The error of its last fatal message; a bare line counts where there is none, as from a panic. */
function lastWords(lines: readonly string[]): string | undefined {
  const messages = lines.flatMap((line) => messageIn(line) ?? [])
  const panic = lines.find((line) => line.startsWith('panic: '))
  const [first] = lines
  return messages.at(-1) ?? panic ?? first
}

function messageIn(line: string): string | undefined {
  const level = field(line, 'level')
  if (level !== 'fatal' && level !== 'panic' && level !== 'error') return undefined
  const words = [field(line, 'msg'), field(line, 'error')].filter((word) => word !== undefined)
  return words.length === 0 ? undefined : words.join(': ')
}

/** Of a log line of zap, which is JSON unless the process is about to crash. */
function field(line: string, name: string): string | undefined {
  const text = new RegExp(`"${name}":("(?:[^"\\\\]|\\\\.)*")`).exec(line)?.[1]
  const value: unknown = text === undefined ? undefined : JSON.parse(text)
  return typeof value === 'string' ? value : undefined
}
