/**
 * Keeps a resolver of ours in the network namespace of each local container that wants one: see
 * `naming/resolvers.ts` for which, and `resolver.ts` for what it is.
 *
 * A container that is being started waits for its own (`ensure`), so that its first lookup comes to us.
 */

import { once } from 'node:events'
import { planResolvers } from '../naming/resolvers.ts'
import type { ActualResolvers, NamespaceFile, ResolverStep } from '../naming/resolvers.ts'
import type { StepFailure, Target } from '../reconcile/reconcile.ts'

export interface OpenResolver extends AsyncDisposable {
  /** Of its namespace. */
  readonly inode: bigint
  /** Keeps lookups coming here; to be called every second. @throws what the kernel refuses. */
  readonly beat: () => void
}

/** By the path of the sandbox. */
type Wanted = ReadonlyMap<string, unknown>

export interface Resolvers<R extends OpenResolver> {
  readonly target: Target<Wanted, ActualResolvers, ResolverStep>
  /** Opens the one of a sandbox, if its namespace exists and it has none. @throws what the kernel refuses. */
  readonly ensure: (sandbox: string) => Promise<void>
  readonly open: () => ReadonlyMap<string, R>
  /** Until the signal aborts; then all are closed, and lookups go to Docker again. */
  readonly keep: (signal: AbortSignal) => Promise<void>
}

export interface ResolversSources<R extends OpenResolver> {
  /** Paths of the sandboxes that want one. The same object as long as nothing has changed. */
  readonly desired: () => Wanted
  readonly find: (sandbox: string) => Promise<NamespaceFile | undefined>
  readonly open: (sandbox: string, file: string) => Promise<R>
  /** One was opened that no container waited for. */
  readonly onOpened: (sandbox: string) => void
}

/** Well below what the kernel waits for it. */
const beatMs = 1000

export function createResolvers<R extends OpenResolver>(
  sources: ResolversSources<R>,
): Resolvers<R> {
  const { desired, find } = sources
  const { all, open, close } = createCollection(sources)

  async function take(step: ResolverStep): Promise<void> {
    if (step.kind === 'close') return close(step.sandbox)
    await open(step.sandbox, step.file)
    sources.onOpened(step.sandbox)
  }

  return {
    target: {
      name: 'resolvers',
      // A new object each time: that a namespace comes to be is nobody's damage.
      desired: async () => new Map(desired()),
      async observe() {
        const inodes = new Map([...all].map(([sandbox, { inode }]) => [sandbox, inode]))
        const wanted = new Set([...desired().keys(), ...inodes.keys()])
        return { open: inodes, namespaces: await findAll(wanted, find) }
      },
      plan: (wanted, actual) => planResolvers(new Set(wanted.keys()), actual),
      apply: (steps) => takeTogether(steps, take),
    },
    async ensure(sandbox) {
      const there = await find(sandbox)
      if (there !== undefined) await open(sandbox, there.file)
    },
    open: () => all,
    async keep(signal) {
      const timer = setInterval(() => {
        for (const resolver of all.values()) beatQuietly(resolver)
      }, beatMs)
      if (!signal.aborted) await once(signal, 'abort')
      clearInterval(timer)
      await Promise.allSettled([...all.keys()].map(close))
    },
  }
}

/** What the kernel refuses now it may grant at the next beat; until then Docker is asked. */
function beatQuietly(resolver: OpenResolver): void {
  try {
    resolver.beat()
  } catch {
    // For instance: another router is ending just now, and its rules are still there.
  }
}

interface Collection<R> {
  readonly all: ReadonlyMap<string, R>
  readonly open: (sandbox: string, file: string) => Promise<void>
  readonly close: (sandbox: string) => Promise<void>
}

function createCollection<R extends OpenResolver>(
  sources: Pick<ResolversSources<R>, 'open'>,
): Collection<R> {
  const all = new Map<string, R>()
  const opening = new Map<string, Promise<void>>()
  return {
    all,
    /** Whoever comes while it is being opened waits for the same. */
    async open(sandbox, file) {
      const already = opening.get(sandbox)
      if (already !== undefined || all.has(sandbox)) return already
      const work = sources
        .open(sandbox, file)
        .then((resolver) => void all.set(sandbox, resolver))
        .finally(() => opening.delete(sandbox))
      opening.set(sandbox, work)
      return work
    },
    async close(sandbox) {
      await opening.get(sandbox)?.catch(() => {})
      const resolver = all.get(sandbox)
      all.delete(sandbox)
      await resolver?.[Symbol.asyncDispose]()
    },
  }
}

async function findAll(
  sandboxes: Iterable<string>,
  find: (sandbox: string) => Promise<NamespaceFile | undefined>,
): Promise<ReadonlyMap<string, NamespaceFile>> {
  const found = await Promise.all(
    [...sandboxes].map(async (sandbox) => [sandbox, await find(sandbox)] as const),
  )
  return new Map(
    found.flatMap(([sandbox, file]) => (file === undefined ? [] : [[sandbox, file] as const])),
  )
}

/** All at once: they concern different namespaces, and each waits for the kernel. */
async function takeTogether(
  steps: readonly ResolverStep[],
  take: (step: ResolverStep) => Promise<void>,
): Promise<readonly StepFailure<ResolverStep>[]> {
  const outcomes = await Promise.all(
    steps.map(async (step) => {
      try {
        await take(step)
        return undefined
      } catch (cause) {
        return { step, cause }
      }
    }),
  )
  return outcomes.flatMap((failure) => (failure === undefined ? [] : [failure]))
}
