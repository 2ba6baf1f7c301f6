/**
 * Finds the handler for a method and a path such as `PUT /v1/networks/:id`.
 *
 * Pure. Segments are compared before they are decoded, so that an encoded slash in a parameter
 * cannot reach another route; what a parameter may contain is for the handler to check.
 */

export interface Call {
  readonly params: Readonly<Record<string, string>>
  /** The parsed body; undefined when the request had none at all, which is not the same as `{}`. */
  readonly body: unknown
  /** Aborts at the route's deadline, and when the server is shut down without mercy. */
  readonly signal: AbortSignal
}

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Begins with a slash; a segment `:name` matches anything but nothing. */
  readonly path: string
  /** What it returns becomes the JSON body of a reply with status 200. */
  readonly handle: (call: Call) => Promise<unknown>
  /** When the caller is told DEADLINE_PASSED; the server's default if absent. */
  readonly deadlineMs?: number
}

export type RouteMatch =
  | {
      readonly kind: 'found'
      readonly route: Route
      readonly params: Readonly<Record<string, string>>
    }
  | { readonly kind: 'wrong-method'; readonly allowed: readonly string[] }
  | { readonly kind: 'unknown-path' }
  | { readonly kind: 'malformed' }

export function matchRoute(
  routes: readonly Route[],
  { method, path }: { readonly method: string; readonly path: string },
): RouteMatch {
  const here = routes.flatMap((route) => {
    const raw = rawParams(route.path, path)
    return raw === undefined ? [] : [{ route, raw }]
  })
  const match = here.find(({ route }) => route.method === method)
  if (match === undefined) {
    if (here.length === 0) return { kind: 'unknown-path' }
    return { kind: 'wrong-method', allowed: here.map(({ route }) => route.method) }
  }
  const params = decodeParams(match.raw)
  return params === undefined
    ? { kind: 'malformed' }
    : { kind: 'found', route: match.route, params }
}

function rawParams(pattern: string, path: string): [string, string][] | undefined {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return undefined
  const params: [string, string][] = []
  for (const [index, segment] of wanted.entries()) {
    const actual = given[index] ?? ''
    if (segment.startsWith(':') && actual !== '') params.push([segment.slice(1), actual])
    else if (segment !== actual) return undefined
  }
  return params
}

function decodeParams(raw: readonly [string, string][]): Record<string, string> | undefined {
  try {
    return Object.fromEntries(raw.map(([name, text]) => [name, decodeURIComponent(text)]))
  } catch {
    return undefined
  }
}
