/**
 * The etcd that serves as Docker's cluster store, on the machine that is also the switch.
 *
 * Docker's store library speaks etcd's v2 API, hence --enable-v2; etcd v3 is served on the same port. Its data are on a tmpfs: nobody here
 * cares for a power cut of the store's machine, and fsync costs seconds.
 */

import { ok } from './command.ts'
import type { Machine, Service } from './machine.ts'
import { until } from './remains.ts'

export interface LabStore {
  /** Such as `http://10.99.0.254:2379`. */
  readonly url: string
  /** Such as `10.99.0.254:2379`. */
  readonly address: string
  start(): Promise<void>
  /** Stops it; its data stay. */
  stop(): Promise<void>
  kill(): Promise<void>
  /** Runs etcdctl (v3) beside it. */
  ctl(...args: readonly string[]): Promise<string>
}

export function createStore(machine: Machine, ip: string): LabStore {
  const address = `${ip}:2379`
  const url = `http://${address}`
  let service: Service | undefined
  const peerUrl = 'http://127.0.0.1:2380'
  const etcd = [
    'etcd',
    '--name=lab',
    '--data-dir=/tmp/etcd',
    '--enable-v2',
    '--logger=zap',
    `--listen-client-urls=${url},http://127.0.0.1:2379`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=lab=${peerUrl}`,
  ]

  async function ctl(...args: readonly string[]): Promise<string> {
    const options = { env: { ETCDCTL_API: '3' }, deadlineMs: 10_000 }
    return await ok(
      machine.run(['etcdctl', '--dial-timeout=1s', '--command-timeout=5s', ...args], options),
    )
  }

  return {
    url,
    address,
    ctl,
    start: async () => {
      service ??= await machine.start('etcd', etcd)
      const isHealthy = await until(
        async () =>
          await ctl('endpoint', 'health').then(
            () => true,
            () => false,
          ),
        20_000,
      )
      if (!isHealthy) throw new Error(`etcd does not answer: ${await logOf(machine)}`)
    },
    stop: async () => {
      await service?.stop()
      service = undefined
    },
    kill: async () => {
      await service?.kill()
      service = undefined
    },
  }
}

async function logOf(machine: Machine): Promise<string> {
  return (await machine.run('tail -5 /var/log/lab/etcd.log')).stdout
}
