/** What do many samples come down to? Medians and quantiles, because this computer is shared and noisy. */

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5)
}

/** @param q 0 to 1; the nearest sample at or above it, never an invented one. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

/** Another one goes first in each round, so that none always has the warmest or the coldest machine. */
export function rotate<T>(items: readonly T[], by: number): readonly T[] {
  const at = by % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}
