/** Joins the plan for links with the kernel: see `datapath/links.ts` for what should exist and why. */

import { planLinks, planSweep } from '../datapath/links.ts'
import type { ActualLink, Deletion, DesiredLinks, LinkStep } from '../datapath/links.ts'
import { parseLinkName } from '../datapath/names.ts'
import type { Mac } from '../model/address.ts'
import { isMac } from '../model/address.ts'
import { isNetlinkError } from '../netlink/errors.ts'
import type { Ipv6Settings } from '../netlink/ipv6-settings.ts'
import {
  deleteLinks,
  encodeDeleteLink,
  encodeSetLink,
  encodeSetPort,
} from '../netlink/link-change.ts'
import { encodeCreateBridge, encodeCreateTunnel, encodeMakeVeth } from '../netlink/link-create.ts'
import { listLinks } from '../netlink/link.ts'
import type { Request } from '../netlink/message.ts'
import type { RouteSocket } from '../netlink/socket.ts'
import type { StepFailure, Target } from '../reconcile/reconcile.ts'
import { takeSteps } from './batch.ts'

export function linksTarget(
  socket: RouteSocket,
  desired: () => Promise<DesiredLinks>,
  ipv6: Ipv6Settings | undefined,
): Target<DesiredLinks, readonly ActualLink[], LinkStep> {
  return {
    name: 'links',
    desired,
    observe: () => listLinks(socket),
    plan: planLinks,
    async apply(steps) {
      const failures = steps.flatMap((step) => setIpv6(step, ipv6))
      return [...failures, ...(await takeSteps(socket, steps, requestsFor))]
    },
  }
}

function setIpv6(step: LinkStep, ipv6: Ipv6Settings | undefined): readonly StepFailure<LinkStep>[] {
  if (step.kind !== 'set-ipv6') return []
  try {
    if (step.acceptsRouters) ipv6?.ignoreRouters(step.name)
    if (!step.enabled) ipv6?.switchOn(step.name)
    return []
  } catch (cause) {
    return [{ step, cause }]
  }
}

/**
 * Removes our links that nothing explains. On a socket of its own: removing links takes the kernel
 * up to 50 ms, and no container's start should queue behind that.
 *
 * The trap: a link that is made while we look is explained by a fact that is younger than our look.
 * A fact is written before its link is made, so what is desired is asked for after the links.
 */
export function sweepTarget(
  socket: RouteSocket,
  desired: () => Promise<DesiredLinks>,
): Target<DesiredLinks, Swept, Deletion> {
  return {
    name: 'sweep',
    desired,
    async observe() {
      const links = await listLinks(socket)
      return { links, explained: await desired() }
    },
    plan: (_before, { links, explained }) => planSweep(explained, links),
    apply: (steps) => removeTogether(socket, steps),
  }
}

interface Swept {
  readonly links: readonly ActualLink[]
  readonly explained: DesiredLinks
}

/** The other end of a veth takes this one with it; gone is what was wanted. */
async function removeTogether(
  socket: RouteSocket,
  steps: readonly Deletion[],
): Promise<readonly StepFailure<Deletion>[]> {
  const errors = await deleteLinks(
    socket,
    steps.map(({ link }) => link),
  )
  return steps.flatMap((step, index) => {
    const cause = errors[index]
    return cause === undefined || isNetlinkError(cause, 'ENODEV') ? [] : [{ step, cause }]
  })
}

/** Removes every link that is ours by name; for a reset. Returns how many there were. */
export async function removeAllLinks(socket: RouteSocket): Promise<number> {
  const ours = (await listLinks(socket)).filter(({ name }) => parseLinkName(name) !== undefined)
  const steps = ours.map(({ index, name }) => ({ kind: 'delete-link', link: index, name }) as const)
  const [failure] = await removeTogether(socket, steps)
  if (failure !== undefined) throw failure.cause
  return ours.length
}

function requestsFor(step: LinkStep): readonly Request[] {
  switch (step.kind) {
    case 'create-bridge': {
      const { name, mtuBytes } = step
      const bridge = { name, mtuBytes, mac: bridgeMac(name), multicastSnooping: false }
      return [encodeCreateBridge(bridge), encodeSetLink(name, { linkLocal: 'none' })]
    }
    case 'create-tunnel': {
      const { name, mtuBytes, vni, underlay } = step
      const { address: local, port } = underlay
      const tunnel = { name, mtuBytes, vni, local, port }
      return [encodeCreateTunnel(tunnel), encodeSetLink(name, { linkLocal: 'none' })]
    }
    case 'create-veth': {
      const { endpoint, hostEnd, containerEnd, mac, mtuBytes, master } = step
      const alias = `weave:${endpoint}`
      const host = { name: hostEnd, alias }
      const container = { name: containerEnd, mac, alias }
      return encodeMakeVeth({ host, container, mtuBytes, master })
    }
    case 'enslave':
      return [encodeSetLink(step.link, { master: step.master })]
    case 'set-port': {
      const { link, neighbourSuppression } = step
      return [encodeSetPort(link, { learning: false, neighbourSuppression })]
    }
    case 'set-ipv6':
      return []
    case 'set-mtu':
      return [encodeSetLink(step.link, { mtuBytes: step.mtuBytes })]
    case 'deny-link-local':
      return [encodeSetLink(step.link, { linkLocal: 'none' })]
    case 'set-up':
      return [encodeSetLink(step.link, { state: 'up' })]
    case 'delete-link':
      return [encodeDeleteLink(step.link)]
  }
}

/**
 * Any locally administered address will do, as nobody talks to the bridge itself; the same one at
 * each making, so that a bridge made anew looks the same. The first byte says "local, unicast".
 */
function bridgeMac(name: string): Mac {
  const vni = name.slice(-6)
  const mac = `0a:57:56:${vni.match(/../g)?.join(':') ?? ''}`
  if (!isMac(mac)) throw new Error(`no MAC address for bridge ${name}`)
  return mac
}
