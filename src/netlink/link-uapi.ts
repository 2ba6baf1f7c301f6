/** Numbers of the kernel's interface for links, and the header that opens every message about one. */

import { AF_UNSPEC } from './uapi.ts'

// linux/rtnetlink.h
export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18

// linux/if.h
export const IFF_UP = 0x1

// linux/if_link.h
export const IFLA_ADDRESS = 1
export const IFLA_IFNAME = 3
export const IFLA_MTU = 4
export const IFLA_LINK = 5
export const IFLA_MASTER = 10
export const IFLA_LINKINFO = 18
export const IFLA_IFALIAS = 20
export const IFLA_AF_SPEC = 26
export const IFLA_GROUP = 27
export const IFLA_EXT_MASK = 29
export const IFLA_INFO_KIND = 1
export const IFLA_INFO_DATA = 2
export const IFLA_INFO_SLAVE_KIND = 4
export const IFLA_INFO_SLAVE_DATA = 5
export const IFLA_INET6_CONF = 2
export const IFLA_INET6_ADDR_GEN_MODE = 8
export const IN6_ADDR_GEN_MODE_NONE = 1

// linux/ipv6.h: places in the array of IFLA_INET6_CONF, 32 bits each
export const DEVCONF_ACCEPT_RA = 3
export const DEVCONF_DISABLE_IPV6 = 26

export const IFLA_BR_AGEING_TIME = 4
export const IFLA_BR_MCAST_SNOOPING = 23
export const IFLA_BR_FORWARD_DELAY = 1
export const IFLA_BR_STP_STATE = 5
export const IFLA_BR_VLAN_DEFAULT_PVID = 39

export const IFLA_BRPORT_LEARNING = 8
export const IFLA_BRPORT_UNICAST_FLOOD = 9
export const IFLA_BRPORT_MCAST_FLOOD = 27
export const IFLA_BRPORT_BCAST_FLOOD = 30
export const IFLA_BRPORT_NEIGH_SUPPRESS = 32
export const IFLA_BRPORT_ISOLATED = 33

export const IFLA_VXLAN_ID = 1
export const IFLA_VXLAN_LOCAL = 4
export const IFLA_VXLAN_LEARNING = 7
export const IFLA_VXLAN_PORT = 15
export const IFLA_VXLAN_LOCAL6 = 17
export const IFLA_VXLAN_UDP_CSUM = 18
export const IFLA_VXLAN_UDP_ZERO_CSUM6_TX = 19
export const IFLA_VXLAN_UDP_ZERO_CSUM6_RX = 20

// linux/veth.h
export const VETH_INFO_PEER = 1

export const linkHeaderBytes = 16

/**
 *  struct ifinfomsg (linux/rtnetlink.h)
 *  0        1     2      4       8       12       16
 *  family   pad   type   index   flags   change
 *
 * `change` names the flags that are meant.
 */
export function linkHeader(options: {
  readonly index?: number
  readonly flags?: number
  readonly change?: number
}): Buffer {
  const bytes = Buffer.alloc(linkHeaderBytes)
  bytes.writeUInt8(AF_UNSPEC, 0)
  bytes.writeInt32LE(options.index ?? 0, 4)
  bytes.writeUInt32LE(options.flags ?? 0, 8)
  bytes.writeUInt32LE(options.change ?? 0, 12)
  return bytes
}
