/**
 * The ways of keeping programs up, in the order in which they are preferred, wired to this process.
 */

import type { Context } from '../context.ts'
import { runProgram } from '../program.ts'
import { createContainerKeeper } from './container.ts'
import type { Keeper } from './keeper.ts'
import { createProcessKeeper } from './process.ts'
import { createSystemdKeeper } from './systemd.ts'

export function createKeepers({ env, installation }: Context): readonly Keeper[] {
  const engine = env['DOCKER_HOST'] ?? ''
  return [
    createSystemdKeeper({ run: runProgram }),
    createContainerKeeper({
      run: runProgram,
      version: installation.version,
      imageTar: installation.imageTar,
      ...(engine.startsWith('unix://') ? { engineSocket: engine.slice('unix://'.length) } : {}),
    }),
    createProcessKeeper({ env }),
  ]
}
