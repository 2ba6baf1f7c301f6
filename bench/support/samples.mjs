/** How do our small programs say what they measured? Plain JavaScript, since containers have no tsx. */

/** The first ones warm the program up, and are left out. */
export function summarise(microseconds) {
  const samples = microseconds.slice(Math.min(500, microseconds.length >> 1))
  samples.sort((a, b) => a - b)
  return { p50: at(samples, 0.5), p99: at(samples, 0.99), count: samples.length }
}

export function print(result) {
  console.log(JSON.stringify(result))
}

function at(sorted, q) {
  return sorted[Math.ceil(q * sorted.length) - 1]
}
