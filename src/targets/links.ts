/** Joins the plan for links with the kernel: see `datapath/links.ts` for what should exist and why. */

import { planLinks } from '../datapath/links.ts'
import type { ActualLink, DesiredLinks, LinkStep } from '../datapath/links.ts'
import { parseLinkName } from '../datapath/names.ts'
import type { Mac } from '../model/address.ts'
import { isMac } from '../model/address.ts'
import { isNetlinkError } from '../netlink/errors.ts'
import { deleteLink, setLink, setPort } from '../netlink/link-change.ts'
import { createBridge, createTunnel, createVeth } from '../netlink/link-create.ts'
import { listLinks } from '../netlink/link.ts'
import type { RouteSocket } from '../netlink/socket.ts'
import { oneByOne } from '../reconcile/reconcile.ts'
import type { Target } from '../reconcile/reconcile.ts'

export function linksTarget(
  socket: RouteSocket,
  desired: () => Promise<DesiredLinks>,
): Target<DesiredLinks, readonly ActualLink[], LinkStep> {
  return {
    name: 'links',
    desired,
    observe: () => listLinks(socket),
    plan: planLinks,
    apply: oneByOne((step) => takeLinkStep(socket, step)),
  }
}

/** Removes every link that is ours by name; for a reset. Returns how many there were. */
export async function removeAllLinks(socket: RouteSocket): Promise<number> {
  const ours = (await listLinks(socket)).filter(({ name }) => parseLinkName(name) !== undefined)
  for (const { index, name } of ours) {
    await takeLinkStep(socket, { kind: 'delete-link', link: index, name })
  }
  return ours.length
}

async function takeLinkStep(socket: RouteSocket, step: LinkStep): Promise<void> {
  switch (step.kind) {
    case 'create-bridge': {
      const { name, mtuBytes } = step
      return createBridge(socket, {
        name,
        mtuBytes,
        mac: bridgeMac(name),
        multicastSnooping: false,
      })
    }
    case 'create-tunnel': {
      const { name, mtuBytes, vni, underlay } = step
      const { address: local, port } = underlay
      return createTunnel(socket, { name, mtuBytes, vni, local, port })
    }
    case 'create-veth': {
      const { endpoint, hostEnd, containerEnd, mac, mtuBytes } = step
      const alias = `weave:${endpoint}`
      const host = { name: hostEnd, alias }
      return createVeth(socket, { host, container: { name: containerEnd, mac, alias }, mtuBytes })
    }
    case 'enslave':
      return setLink(socket, step.link, { master: step.master })
    case 'set-port': {
      const { link, neighbourSuppression } = step
      return setPort(socket, link, { learning: false, neighbourSuppression })
    }
    case 'set-mtu':
      return setLink(socket, step.link, { mtuBytes: step.mtuBytes })
    case 'deny-link-local':
      return setLink(socket, step.link, { linkLocal: 'none' })
    case 'set-up':
      return setLink(socket, step.link, { state: 'up' })
    case 'delete-link':
      return deleteLink(socket, step.link).catch(ignoreGone)
  }
}

/** The other end of a veth takes this one with it; gone is what was wanted. */
function ignoreGone(error: unknown): void {
  if (!isNetlinkError(error, 'ENODEV')) throw error
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
