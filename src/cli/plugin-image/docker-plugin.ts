/** What `docker plugin …` is asked to do. */

import { z } from 'zod'
import { programFailed } from '../../model/faults.ts'
import { mustRun } from '../program.ts'
import type { RunProgram } from '../program.ts'

export interface DockerPlugin {
  /** Undefined when there is none of this name. @throws PROGRAM_FAILED when Docker does not answer. */
  readonly inspect: (name: string) => Promise<FoundPlugin | undefined>
  /** @param directory with config.json and rootfs */
  readonly create: (name: string, directory: string) => Promise<void>
  readonly set: (name: string, settings: readonly string[]) => Promise<void>
  readonly enable: (name: string) => Promise<void>
  /** With the networks that are in use: the kernel goes on forwarding. */
  readonly disable: (name: string) => Promise<void>
  readonly remove: (name: string) => Promise<void>
}

export interface FoundPlugin {
  readonly isEnabled: boolean
  readonly description: string
  /** NAME=VALUE */
  readonly settings: readonly string[]
}

const inspection = z
  .object({
    Enabled: z.boolean(),
    Config: z.object({ Description: z.string() }),
    Settings: z.object({ Env: z.array(z.string()).nullish() }),
  })
  .transform(({ Enabled, Config, Settings }) => ({
    isEnabled: Enabled,
    description: Config.Description,
    settings: Settings.Env ?? [],
  }))

const askMs = 10_000
/** dockerd packs the whole root file system. */
const createMs = 300_000
const changeMs = 60_000

export function createDockerPlugin(run: RunProgram, signal: AbortSignal): DockerPlugin {
  async function change(timeoutMs: number, ...args: readonly string[]): Promise<void> {
    await mustRun(run, ['docker', 'plugin', ...args], { timeoutMs, signal })
  }
  return {
    async inspect(name) {
      const argv = ['docker', 'plugin', 'inspect', '--format={{json .}}', name]
      const { exit, stdout, stderr } = await run(argv, { timeoutMs: askMs, signal })
      if (exit === 0) return inspection.parse(JSON.parse(stdout))
      if (/no such plugin|not found/i.test(stderr)) return undefined
      throw programFailed('docker plugin inspect', stderr.trim().split('\n').at(-1) ?? '')
    },
    create: (name, directory) => change(createMs, 'create', name, directory),
    async set(name, settings) {
      if (settings.length > 0) await change(askMs, 'set', name, ...settings)
    },
    enable: (name) => change(changeMs, 'enable', name),
    disable: (name) => change(changeMs, 'disable', '--force', name),
    remove: (name) => change(changeMs, 'rm', '--force', name),
  }
}
