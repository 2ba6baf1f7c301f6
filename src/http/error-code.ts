/** What the system says is wrong, as a name from errno.h: `ECONNREFUSED`. Undefined if it does not. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
