/**
 * Tells a network of a swarm from others, by its ID alone.
 *
 * Swarm makes IDs of 25 digits in base 36; engines and cluster stores make 64 hex digits. So what a
 * network is stays known while its engine joins or leaves a swarm, when asking the engine would give
 * the answer of a moment too late.
 */

const swarmId = /^[0-9a-z]{25}$/

export function isSwarmId(id: string): boolean {
  return swarmId.test(id)
}
