/**
 * Every fault there is. `docs/operations/faults.md` describes the same list; a test keeps the two
 * in step. Grouped by what the operator was doing when it appeared.
 */

import { defineFault } from './fault.ts'

// sysexits.h: what a command exits with, so that scripts can tell the kinds apart.
const USAGE = 64
const DATA = 65
const UNAVAILABLE = 69
const OS_ERROR = 71
const SOFTWARE = 70
const TEMPORARY = 75
const NO_PERMISSION = 77
const CONFIG = 78

// ── Command line ────────────────────────────────────────────────────────────────────────────────

export const badArgument = defineFault(
  'BAD_ARGUMENT',
  USAGE,
  (what: string, value: string, remedy: string) => ({
    summary: `${what}: ${JSON.stringify(value)} is not valid`,
    remedy,
  }),
)

export const notRoot = defineFault('NOT_ROOT', NO_PERMISSION, (command: string) => ({
  summary: `"${command}" needs root`,
  remedy: `Run "sudo ${command}".`,
}))

export const routerNotRunning = defineFault(
  'ROUTER_NOT_RUNNING',
  UNAVAILABLE,
  (socket: string) => ({
    summary: `no router answers on ${socket}`,
    remedy: 'Start it with "weave launch [peers]".',
  }),
)

export const alreadyRunning = defineFault('ALREADY_RUNNING', TEMPORARY, (runAs: string) => ({
  summary: `the router is already running on this host (as ${runAs})`,
  remedy: 'See "weave status". To change its settings: "weave stop", then "weave launch" again.',
}))

export const unknownCommand = defineFault(
  'UNKNOWN_COMMAND',
  USAGE,
  (command: string, remedy: string) => ({ summary: `there is no command "${command}"`, remedy }),
)

export const badUsage = defineFault('BAD_USAGE', USAGE, (problem: string, remedy: string) => ({
  summary: problem,
  remedy,
}))

export const notConfirmed = defineFault('NOT_CONFIRMED', USAGE, (command: string) => ({
  summary: `"${command}" was not confirmed; nothing was changed`,
  remedy: `Run "${command} --force" to do it without being asked.`,
}))

export const runModeUnavailable = defineFault(
  'RUN_MODE_UNAVAILABLE',
  UNAVAILABLE,
  (mode: string, problem: string) => ({
    summary: `nothing can be kept up as ${mode} here: ${problem}`,
    remedy: 'Leave --run-as away to have one chosen, or give --run-as=process.',
  }),
)

export const containerNameTaken = defineFault(
  'CONTAINER_NAME_TAKEN',
  TEMPORARY,
  (name: string, image: string) => ({
    summary: `there is already a container "${name}" that is not ours (image ${image})`,
    remedy: `See "docker inspect ${name}". Rename or remove it, or launch with --run-as=process.`,
  }),
)

export const programFailed = defineFault(
  'PROGRAM_FAILED',
  UNAVAILABLE,
  (command: string, problem: string) => ({
    summary: `"${command}" failed: ${problem}`,
    remedy: 'Run it by hand to see more; "weave launch" may be repeated.',
  }),
)

export const startFailed = defineFault(
  'START_FAILED',
  UNAVAILABLE,
  (what: string, log: string) => ({
    summary: `the ${what} ended as soon as it was started`,
    remedy: `Nothing was left running. The reason is at the end of its log: ${log}`,
  }),
)

export const notReady = defineFault(
  'NOT_READY',
  TEMPORARY,
  (what: string, ms: number, problem: string) => ({
    summary: `the ${what} runs but is not ready after ${Math.round(ms / 1000)} s: ${problem}`,
    remedy: 'It goes on trying: see "weave status". "weave stop" or "weave stop-plugin" ends it.',
  }),
)

export const notOursToStop = defineFault('NOT_OURS_TO_STOP', TEMPORARY, (socket: string) => ({
  summary: `something answers on ${socket} that "weave launch-plugin" did not start`,
  remedy: 'End it where it was started: a "weave plugin" in the foreground ends with Ctrl-C.',
}))

// ── The router's socket ─────────────────────────────────────────────────────────────────────────

export const badRequest = defineFault('BAD_REQUEST', DATA, (problem: string) => ({
  summary: `the request was not understood: ${problem}`,
  remedy:
    'Nothing was changed. See ARCHITECTURE.md for the API; the CLI and the router must match.',
}))

export const unknownCall = defineFault('UNKNOWN_CALL', DATA, (method: string, path: string) => ({
  summary: `there is no ${method} ${path} in this API`,
  remedy:
    'Nothing was changed. ARCHITECTURE.md lists the calls; the CLI and the router must match.',
}))

export const unknownVersion = defineFault(
  'UNKNOWN_VERSION',
  DATA,
  (asked: string, known: string) => ({
    summary: `this router does not speak version ${JSON.stringify(asked)} of the API, only ${known}`,
    remedy: 'Install the same version of weave for the CLI, the plugin and the router.',
  }),
)

export const badReply = defineFault('BAD_REPLY', SOFTWARE, (who: string, problem: string) => ({
  summary: `what answers on ${who} is no router of this version: ${problem}`,
  remedy:
    'Install the same version of weave for the CLI, the plugin and the router, and restart it.',
}))

export const internalError = defineFault('INTERNAL', SOFTWARE, (what: string) => ({
  summary: `unexpected failure: ${what}`,
  remedy: 'This is a defect of weave. Please report it with the log around it.',
}))

export const deadlinePassed = defineFault(
  'DEADLINE_PASSED',
  TEMPORARY,
  (what: string, ms: number) => ({
    summary: `${what} took longer than ${ms} ms and was given up`,
    remedy: 'See "weave status" for what is slow; repeating the call is safe.',
  }),
)

// ── Sockets and ports ───────────────────────────────────────────────────────────────────────────

export const socketInUse = defineFault('SOCKET_IN_USE', TEMPORARY, (socket: string) => ({
  summary: `another process already answers on ${socket}`,
  remedy: `See which with "ss -xlp | grep ${socket}"; stop it, or choose another path.`,
}))

export const dnsListenFailed = defineFault(
  'DNS_LISTEN_FAILED',
  TEMPORARY,
  (address: string, reason: string) => ({
    summary: `names cannot be asked for at ${address}, port 53: ${reason}`,
    remedy:
      'See what else is there with "ss -lnp sport = 53", or launch with another --dns-listen-address (or none).',
  }),
)

export const portInUse = defineFault(
  'PORT_IN_USE',
  TEMPORARY,
  (protocol: 'TCP' | 'UDP', port: number) => ({
    summary: `${protocol} port ${port} is already in use`,
    remedy: `See by what with "ss -lp | grep :${port}"; stop it, or choose another with --port.`,
  }),
)

// ── Docker ──────────────────────────────────────────────────────────────────────────────────────

export const engineUnreachable = defineFault(
  'ENGINE_UNREACHABLE',
  UNAVAILABLE,
  (socket: string, reason: string) => ({
    summary: `the Docker engine on ${socket} does not answer as expected: ${reason}`,
    remedy: 'Check that Docker runs on this host: "docker info".',
  }),
)

export const engineRefused = defineFault(
  'ENGINE_REFUSED',
  UNAVAILABLE,
  (what: string, reason: string) => ({
    summary: `the Docker engine did not ${what}: ${reason}`,
    remedy:
      'It is tried again. See "docker network ls" and "weave status networks" on this host, and the log of dockerd.',
  }),
)

export const networkConflict = defineFault(
  'NETWORK_CONFLICT',
  CONFIG,
  (name: string, differs: readonly string[]) => ({
    summary: `this host has another network "${name}" than the cluster: ${differs.join('; ')}`,
    remedy: `Disconnect its containers or run "docker network rm ${name}" here, and it becomes the cluster's; or remove it on another host, and this one becomes it.`,
  }),
)

export const networkReplaced = defineFault('NETWORK_REPLACED', TEMPORARY, (network: string) => ({
  summary: `network ${network.slice(0, 12)} was made on two hosts at the same moment, and gives way to the other host's`,
  remedy: 'Start the container again: it is then on the network that all hosts share.',
}))

export const localIpam = defineFault(
  'LOCAL_IPAM',
  USAGE,
  ({ subnet, command }: { readonly subnet: string; readonly command: string }) => ({
    summary: `Docker on each host would hand out the same addresses of ${subnet}`,
    remedy: `Let weave hand them out, on one host for all hosts: ${command}. To choose the subnet, add --subnet=…`,
  }),
)

export const badNetworkOption = defineFault(
  'BAD_NETWORK_OPTION',
  USAGE,
  (option: string, problem: string) => ({
    summary: `network option ${option}: ${problem}`,
    remedy: 'No network was made. Correct the option after -o and create it again.',
  }),
)

export const networkUnnamed = defineFault('NETWORK_UNNAMED', USAGE, () => ({
  summary: 'without a subnet and without a name the other hosts cannot tell which network this is',
  remedy: 'Create it with --subnet=…, or with -o weave.network=NAME.',
}))

export const segmentTaken = defineFault(
  'SEGMENT_TAKEN',
  USAGE,
  ({ segment, network }: { readonly segment: string; readonly network: string }) => ({
    summary: `${segment} is already Docker network ${network.slice(0, 12)} of this host; containers of both would meet in it`,
    remedy:
      'Use that network, or give this one another --subnet, or a name of its own in the whole cluster: -o weave.network=NAME. If that network is gone, try again in ten seconds.',
  }),
)

export const networkForgotten = defineFault(
  'NETWORK_FORGOTTEN',
  DATA,
  (network: string, file: string) => ({
    summary: `there is no record of Docker network ${network} in ${file}`,
    remedy: `Remove it with "docker network rm ${network.slice(0, 12)}" and create it again; Docker tells a plugin about a network only once.`,
  }),
)

// ── Store ───────────────────────────────────────────────────────────────────────────────────────

export const storeUnreachable = defineFault(
  'STORE_UNREACHABLE',
  UNAVAILABLE,
  (endpoints: readonly string[], reason: string) => ({
    summary: `no etcd endpoint answered (${endpoints.join(', ')}): ${reason}`,
    remedy:
      'Check that etcd runs there and that this host can reach it. Running containers keep their connectivity meanwhile.',
  }),
)

export const storeFull = defineFault('STORE_FULL', UNAVAILABLE, (endpoints: readonly string[]) => ({
  summary: `etcd (${endpoints.join(', ')}) has used up its disk quota and refuses writes`,
  remedy:
    'Run "etcdctl compact", "etcdctl defrag" and "etcdctl alarm disarm" there, or raise --quota-backend-bytes. A managed store does so by itself within a minute.',
}))

export const storeLeaseGone = defineFault('STORE_LEASE_GONE', TEMPORARY, () => ({
  summary: "this host's lease in the store has expired",
  remedy: 'The router takes a new one by itself. If this repeats, check the load of this host.',
}))

export const storeDenied = defineFault(
  'STORE_DENIED',
  NO_PERMISSION,
  (endpoints: readonly string[], reason: string) => ({
    summary: `etcd (${endpoints.join(', ')}) does not let us in: ${reason}`,
    remedy:
      'Give this host access to the keys under /weave/v1/, or use an etcd without access control.',
  }),
)

export const storeCorrupt = defineFault(
  'STORE_CORRUPT',
  UNAVAILABLE,
  (endpoints: readonly string[], reason: string) => ({
    summary: `etcd (${endpoints.join(', ')}) reports damaged data: ${reason}`,
    remedy:
      'Replace the damaged member, or restore it from a snapshot. The hosts publish their records again.',
  }),
)

export const storeRefused = defineFault(
  'STORE_REFUSED',
  DATA,
  (endpoints: readonly string[], reason: string) => ({
    summary: `etcd (${endpoints.join(', ')}) refused the request: ${reason}`,
    remedy: 'Check that these are client addresses of an etcd of version 3.4 or later.',
  }),
)

export const storeRecordUnreadable = defineFault(
  'STORE_RECORD_UNREADABLE',
  DATA,
  (key: string) => ({
    summary: `the record ${key} in the store cannot be read`,
    remedy: `See what wrote it with "etcdctl get ${key}", and delete it if nothing needs it.`,
  }),
)

export const vnisExhausted = defineFault('VNIS_EXHAUSTED', UNAVAILABLE, () => ({
  summary: 'every one of the 16777215 network numbers is taken',
  remedy: 'Remove networks that are no longer used with "docker network rm".',
}))

export const clusterMismatch = defineFault(
  'CLUSTER_MISMATCH',
  UNAVAILABLE,
  (expected: string, found: string) => ({
    summary: `the store belongs to cluster ${found}, this host to cluster ${expected}`,
    remedy:
      'What this host knew stays in force. Point it at its own store, or move it over for good with "weave reset" and "weave launch".',
  }),
)

// ── Managed store ───────────────────────────────────────────────────────────────────────────────

export const etcdMissing = defineFault('ETCD_MISSING', UNAVAILABLE, (binary: string) => ({
  summary: `there is no etcd at ${binary}`,
  remedy:
    'Install it with "apt-get install etcd-server", or name an existing one with --cluster-store=etcd://HOST:PORT.',
}))

export const etcdDataUnusable = defineFault(
  'ETCD_DATA_UNUSABLE',
  UNAVAILABLE,
  (directory: string, reason: string) => ({
    summary: `the managed store cannot use its data in ${directory}: ${reason}`,
    remedy: `Check that root can write there and that the disk is not full. If the data is damaged, move ${directory} away and launch again: the hosts publish their records again.`,
  }),
)

export const etcdNotStarting = defineFault('ETCD_NOT_STARTING', UNAVAILABLE, (reason: string) => ({
  summary: `the managed store does not start: ${reason}`,
  remedy: 'Launch with --log-level=debug to see its log among that of the router.',
}))

// ── Joining a cluster ───────────────────────────────────────────────────────────────────────────

export const peersUnreachable = defineFault(
  'PEERS_UNREACHABLE',
  UNAVAILABLE,
  (dead: readonly { readonly name: string; readonly reason: string }[]) => ({
    summary: `none of the peers answered: ${dead.map(({ name, reason }) => `${name} (${reason})`).join(', ')}`,
    remedy:
      'Launch one of them first, or name a peer that runs ("weave status" there). Without peers, "weave launch" founds a new cluster.',
  }),
)

export const clustersDiffer = defineFault(
  'CLUSTERS_DIFFER',
  CONFIG,
  (found: readonly string[]) => ({
    summary: `the peers do not belong to one cluster: ${found.join(', ')}`,
    remedy: 'Name peers of one cluster only. To move a host: "weave reset" there, then launch it.',
  }),
)

export const hostIdTaken = defineFault(
  'HOST_ID_TAKEN',
  CONFIG,
  (id: string, nickname: string, address: string) => ({
    summary: `host ID ${id} is in use by ${nickname} at ${address}: one machine is a copy of the other`,
    remedy: 'On the copy: "weave reset", then launch it again; it makes an identity of its own.',
  }),
)

export const addressNotHere = defineFault(
  'ADDRESS_NOT_HERE',
  CONFIG,
  (address: string, own: readonly string[]) => ({
    summary: `${address} is not an address of this host`,
    remedy: `Give one of these with --host=: ${own.join(', ')}.`,
  }),
)

export const noUnderlay = defineFault('NO_UNDERLAY', CONFIG, (own: readonly string[]) => ({
  summary: 'there is no default route, so the address for other hosts cannot be chosen',
  remedy:
    own.length > 0
      ? `Give one of these with --host=: ${own.join(', ')}.`
      : 'Give this host an IP address that the others can reach.',
}))

export const familiesDiffer = defineFault(
  'FAMILIES_DIFFER',
  CONFIG,
  ({
    address,
    other,
    fitting,
  }: {
    readonly address: string
    readonly other: string
    /** Own addresses of the other host's family. */
    readonly fitting: readonly string[]
  }) => ({
    summary: `this host would be reached at ${address}, but ${other} by the other IP family, and no tunnel joins the two`,
    remedy:
      fitting.length > 0
        ? `Give one of these with --host=: ${fitting.join(', ')}.`
        : 'Give this host an address of that family, or launch every host with --host= of one family.',
  }),
)

// ── The managed plugin ──────────────────────────────────────────────────────────────────────────

export const badPluginSetting = defineFault(
  'BAD_PLUGIN_SETTING',
  USAGE,
  (variable: string, value: string, hint: string) => ({
    summary: `setting ${variable} of the plugin: ${JSON.stringify(value)} is not valid`,
    remedy: `${hint} Then "docker plugin disable --force weave", "docker plugin set weave ${variable}=…" and "docker plugin enable weave".`,
  }),
)

export const notInSwarm = defineFault('NOT_IN_SWARM', TEMPORARY, (state: string) => ({
  summary: `the plugin waits for a swarm to find its peers in; this engine is in none (${state === '' ? 'it does not answer' : state})`,
  remedy:
    'Use "docker swarm init" or "docker swarm join", or name peers with "docker plugin set weave WEAVE_PEERS=…".',
}))

export const noPeerInSwarm = defineFault(
  'NO_PEER_IN_SWARM',
  TEMPORARY,
  (asked: readonly string[]) => ({
    summary: `no node of the swarm can let this one into the cluster yet: ${asked.join('; ')}`,
    remedy:
      'Create and enable the plugin on a manager of the swarm, too; this node goes on asking. Nodes must reach each other on TCP port 6783.',
  }),
)

export const founderAway = defineFault(
  'FOUNDER_AWAY',
  TEMPORARY,
  (founder: string, config: string) => ({
    summary: `the cluster of this swarm is founded by ${founder}, which does not answer; nobody else may`,
    remedy: `Enable the plugin there; this node goes on asking. Only if that node is gone for good: "docker node rm" it, or "docker config rm ${config}".`,
  }),
)

export const swarmElsewhere = defineFault(
  'SWARM_ELSEWHERE',
  CONFIG,
  ({ own, right, endpoints }: { own: string; right: string; endpoints: number }) => ({
    summary: `this node is in cluster ${own.slice(0, 8)}, and its swarm in cluster ${right.slice(0, 8)}: containers here do not reach the others`,
    remedy: `It moves by itself once nothing here is on a weave network any more; ${endpoints} still are.`,
  }),
)

export const imageMissing = defineFault('IMAGE_MISSING', UNAVAILABLE, (file: string) => ({
  summary: `there is no ${file} to make the plugin from`,
  remedy: 'Run "sudo script/install" again: it leaves that file beside the program.',
}))

export const pluginNameTaken = defineFault('PLUGIN_NAME_TAKEN', TEMPORARY, (name: string) => ({
  summary: `Docker has a plugin ${name} that is not ours`,
  remedy: `See "docker plugin inspect ${name}". Remove it, or give another name: "weave plugin-image NAME".`,
}))

export const routerInPlugin = defineFault('ROUTER_IN_PLUGIN', TEMPORARY, (command: string) => ({
  summary: `the router of this host runs inside Docker's managed plugin, which "${command}" cannot end`,
  remedy:
    'End it with "docker plugin disable --force weave"; containers keep their connections. Before a reset also "docker plugin rm weave".',
}))

// ── Containers ──────────────────────────────────────────────────────────────────────────────────

export const mtuBelowIpv6 = defineFault(
  'MTU_BELOW_IPV6',
  CONFIG,
  (address: string, mtuBytes: number) => ({
    summary: `${address} needs an MTU of at least 1280, but packets of ${mtuBytes} bytes are all that fits here`,
    remedy:
      'Raise the MTU: of the network (com.docker.network.driver.mtu), of "weave launch --mtu", or of the hosts\' network ("weave status" shows what fits). Or make the network without --ipv6.',
  }),
)

export const interfaceFailed = defineFault(
  'INTERFACE_FAILED',
  OS_ERROR,
  (endpoint: string, reason: string) => ({
    summary: `the interface of endpoint ${endpoint.slice(0, 12)} could not be made: ${reason}`,
    remedy: 'See "weave status" and the log of the router; nothing was left behind.',
  }),
)

export const endpointUnknown = defineFault('ENDPOINT_UNKNOWN', DATA, (endpoint: string) => ({
  summary: `endpoint ${endpoint.slice(0, 12)} is not known on this host`,
  remedy: 'It was removed, or belongs to another host. Start the container again.',
}))

export const routerNotReady = defineFault('ROUTER_NOT_READY', TEMPORARY, (reason: string) => ({
  summary: `the router is not ready: ${reason}`,
  remedy: 'Wait a moment and try again; "weave status" on that host says what it waits for.',
}))

export const filterFailed = defineFault(
  'FILTER_FAILED',
  OS_ERROR,
  (program: string, reason: string) => ({
    summary: `the packet filter could not be set with ${program}: ${reason}`,
    remedy:
      'Install the packages nftables and iptables, and see that the kernel has nf_tables. Until then containers are less isolated from the hosts, or their traffic is dropped by FORWARD.',
  }),
)

// ── Addresses ───────────────────────────────────────────────────────────────────────────────────

export const peerAlive = defineFault('PEER_ALIVE', TEMPORARY, (host: string) => ({
  summary: `${host} is there: its router keeps its records alive`,
  remedy: 'Run "weave reset" on it instead. If it was just switched off, wait for 30 seconds.',
}))

export const peerUnknown = defineFault(
  'PEER_UNKNOWN',
  DATA,
  (host: string, gone: readonly string[]) => ({
    summary: `there is no single host ${JSON.stringify(host)} that is gone and has addresses`,
    remedy:
      gone.length === 0 ? 'No host that is gone has any.' : `Name one of: ${gone.join(', ')}.`,
  }),
)

export const poolOverlaps = defineFault(
  'POOL_OVERLAPS',
  CONFIG,
  (wanted: string, other: string) => ({
    summary: `${wanted} overlaps with ${other}, which another network of the cluster uses`,
    remedy:
      'Give another --subnet, or leave it out to have a free one chosen; "weave status ipam" lists them.',
  }),
)

export const poolsExhausted = defineFault(
  'POOLS_EXHAUSTED',
  UNAVAILABLE,
  (range: string, length: number) => ({
    summary: `no subnet /${length} is free in ${range} that is on no network and no route of any host`,
    remedy: 'Give one with --subnet, or another range with "weave launch --ipalloc-range=".',
  }),
)

export const poolUnknown = defineFault('POOL_UNKNOWN', DATA, (id: string) => ({
  summary: `${JSON.stringify(id)} is no pool of addresses`,
  remedy: 'The network was made with another IPAM driver or another version: make it anew.',
}))

export const poolFull = defineFault(
  'POOL_FULL',
  UNAVAILABLE,
  (pool: string, size: string, usage: string) => ({
    summary: `no address is left in ${pool}: of ${size}, ${usage}`,
    remedy: 'Remove containers, or make a network with a larger --subnet.',
  }),
)

export const poolCutOff = defineFault(
  'POOL_CUT_OFF',
  TEMPORARY,
  (pool: string, reason: string) => ({
    summary: `this host has no address of ${pool} left, and cannot get more now: ${reason}`,
    remedy: 'See "weave status store"; containers start again when the store answers.',
  }),
)

export const addressInUse = defineFault(
  'ADDRESS_IN_USE',
  DATA,
  (address: string, pool: string, problem: string) => ({
    summary: `${address} of ${pool} is not free: ${problem}`,
    remedy: 'Choose another address, or leave --ip out to have one chosen.',
  }),
)

export const addressOutside = defineFault(
  'ADDRESS_OUTSIDE',
  DATA,
  (address: string, pool: string) => ({
    summary: `${address} is not an address for containers in ${pool}`,
    remedy: 'Choose one inside, and neither its first nor (IPv4) its last one.',
  }),
)

// ── Names ───────────────────────────────────────────────────────────────────────────────────────

export const containerUnknown = defineFault(
  'CONTAINER_UNKNOWN',
  USAGE,
  (container: string, remedy: string) => ({
    summary: `this host's engine has no container ${JSON.stringify(container)}`,
    remedy: `${remedy} A name is added on the host that has the container; nothing was changed.`,
  }),
)

export const networkUnknown = defineFault(
  'NETWORK_UNKNOWN',
  USAGE,
  (network: string, remedy: string) => ({
    summary: `${JSON.stringify(network)} is no network of weave that this host knows`,
    remedy: `${remedy} Nothing was changed.`,
  }),
)
