/**
 * Decides in which containers this router must answer questions, and in which it must stop.
 *
 * A resolver lives in a container's network namespace and keeps that in existence: one that nobody needs
 * any more must go, and so must one whose path leads to another namespace by now.
 *
 * Pure. A sandbox whose namespace does not exist yet is no problem: it is opened once it does.
 */

export interface ActualResolvers {
  /** Inodes of the namespaces that have one of ours, by the path of their sandbox. */
  readonly open: ReadonlyMap<string, bigint>
  /** Where the namespace of a sandbox is now. */
  readonly namespaces: ReadonlyMap<string, NamespaceFile>
}

export interface NamespaceFile {
  readonly file: string
  readonly inode: bigint
}

export type ResolverStep =
  | { readonly kind: 'open'; readonly sandbox: string; readonly file: string }
  | { readonly kind: 'close'; readonly sandbox: string }

export function planResolvers(
  desired: ReadonlySet<string>,
  { open, namespaces }: ActualResolvers,
): readonly ResolverStep[] {
  const closing = [...open].flatMap(([sandbox, inode]): ResolverStep[] => {
    const isWanted = desired.has(sandbox) && namespaces.get(sandbox)?.inode === inode
    return isWanted ? [] : [{ kind: 'close', sandbox }]
  })
  const opening = [...desired].flatMap((sandbox): ResolverStep[] => {
    const there = namespaces.get(sandbox)
    return there === undefined || open.has(sandbox)
      ? []
      : [{ kind: 'open', sandbox, file: there.file }]
  })
  return [...closing, ...opening]
}
