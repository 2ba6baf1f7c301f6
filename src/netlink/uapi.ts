/**
 * Numbers of the kernel's interface that more than one file needs. Those of one object are in its file.
 */

// linux/socket.h
export const AF_UNSPEC = 0
export const AF_INET = 2
export const AF_BRIDGE = 7
export const AF_INET6 = 10
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_NONBLOCK = 0x800
export const SOCK_CLOEXEC = 0x80000

// asm-generic/socket.h
export const SOL_SOCKET = 1

// linux/netlink.h, protocols
export const NETLINK_ROUTE = 0
export const NETLINK_NETFILTER = 12

// linux/netlink.h
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
export const NLM_F_APPEND = 0x800

// linux/rtnetlink.h
export const RTM_NEWNEIGH = 28
export const RTM_DELNEIGH = 29
export const RTM_GETNEIGH = 30

// linux/neighbour.h
export const NDA_DST = 1
export const NDA_LLADDR = 2
export const NDA_PORT = 6
export const NDA_IFINDEX = 8
export const NDA_MASTER = 9
export const NUD_REACHABLE = 0x02
export const NUD_NOARP = 0x40
export const NUD_PERMANENT = 0x80
export const NTF_SELF = 0x02
export const NTF_MASTER = 0x04
