/**
 * Names of our kernel objects, and back again.
 *
 * A router that has lost everything must be able to tell from a name alone what is ours, what kind
 * it is, and (for bridge and tunnel) which network it belongs to. Names have at most 15 characters
 * (IFNAMSIZ in linux/if.h), so an endpoint's is a digest of its ID; the full ID is in the alias.
 *
 *   wvb000a1f          bridge of VNI 0x000a1f
 *   wvx000a1f          tunnel (VXLAN device) of VNI 0x000a1f
 *   wvh + 12 hex       host's end of an endpoint's veth
 *   wvc + 12 hex       container's end, until Docker moves and renames it
 */

import { isVni } from '../model/cluster.ts'
import type { EndpointId, Vni } from '../model/cluster.ts'

/** Every interface that begins so is ours to change and remove. */
export const linkPrefix = 'wv'
export const bridgePrefix = `${linkPrefix}b`
export const tunnelPrefix = `${linkPrefix}x`
export const hostEndPrefix = `${linkPrefix}h`
const containerEndPrefix = `${linkPrefix}c`

export type LinkName =
  | { readonly kind: 'bridge' | 'tunnel'; readonly vni: Vni }
  | { readonly kind: 'host-end' | 'container-end'; readonly digest: string }

const segmentName = /^wv(?<kind>[bx])(?<vni>[0-9a-f]{6})$/
const endName = /^wv(?<kind>[hc])(?<digest>[0-9a-f]{12})$/

export function bridgeName(vni: Vni): string {
  return bridgePrefix + vni.toString(16).padStart(6, '0')
}

export function tunnelName(vni: Vni): string {
  return tunnelPrefix + vni.toString(16).padStart(6, '0')
}

export function hostEndName(endpoint: EndpointId): string {
  return hostEndPrefix + digest(endpoint)
}

export function containerEndName(endpoint: EndpointId): string {
  return containerEndPrefix + digest(endpoint)
}

/** Undefined for an interface that is not ours. */
export function parseLinkName(name: string): LinkName | undefined {
  const segment = segmentName.exec(name)?.groups
  if (segment !== undefined) {
    const vni = Number.parseInt(segment['vni'] ?? '', 16)
    return isVni(vni) ? { kind: segment['kind'] === 'b' ? 'bridge' : 'tunnel', vni } : undefined
  }
  const end = endName.exec(name)?.groups
  if (end === undefined) return undefined
  return { kind: end['kind'] === 'h' ? 'host-end' : 'container-end', digest: end['digest'] ?? '' }
}

/** 48 bits of FNV-1a over two passes: no crypto in a pure module; a clash is caught by the alias. */
function digest(text: string): string {
  return (
    fnv1a(text, 0x811c9dc5).toString(16).padStart(8, '0') +
    fnv1a(text, 0x01000193).toString(16).padStart(8, '0').slice(0, 4)
  )
}

function fnv1a(text: string, basis: number): number {
  let hash = basis
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}
