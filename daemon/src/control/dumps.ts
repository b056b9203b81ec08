/** What the daemon answers to the tools: plain, typed pictures of its tables. `--json` prints these records as they are. */
import type { Encapsulation } from '../wire/encapsulation.js';

export interface TrafficCounters {
  readonly packets: number;
  readonly bytes: number;
  readonly errors: number;
}

export type VifTypeName = 'Host' | 'Agent' | 'Physical' | 'Virtual';

/** A fat-flow rule of an interface; "source" and "destination" as the guest behind it sees them. */
export interface FatFlowDump {
  /** IP protocol number; 1 is ICMP and ICMPv6. */
  readonly protocol: number;
  /** 0: every port. */
  readonly port: number;
  readonly ignore: 'none' | 'source' | 'destination';
  /** Addresses inside `prefix`/`length` are folded to `aggregate` bits; null: not by prefix. */
  readonly source: { readonly prefix: string; readonly length: number; readonly aggregate: number } | null;
  readonly destination: FatFlowDump['source'];
}

export interface VifDump {
  readonly id: number;
  /** Device in the host's namespace. */
  readonly name: string;
  readonly type: VifTypeName;
  /** Speed in Mbit/s and duplex (1 full, 0 half) of a physical interface that knows them. */
  readonly link?: { readonly speed: number; readonly duplex: 0 | 1 };
  readonly mac: string;
  readonly ip: string;
  readonly ip6: string | null;
  readonly vrf: number;
  readonly mcastVrf: number;
  /** Flag letters in print order (`P`, `L3`, `L2`, `D`, `Uuf`, `Df`, `Er`). */
  readonly flags: readonly string[];
  readonly qos: number;
  readonly ref: number;
  readonly mtu: number;
  /** Full name of the virtual machine interface, null for the fixed interfaces. */
  readonly vmi: string | null;
  readonly rx: TrafficCounters;
  readonly tx: TrafficCounters;
  /** Sum of all drop counters of this interface. */
  readonly drops: number;
  /** Frames the kernel lost before the datapath saw them (socket or TAP queue overflow). */
  readonly kernelDrops: number;
  /** Frames sent or received as super-frames (segmentation offload); `packets` above counts their segments. */
  readonly superFrames: { readonly rx: number; readonly tx: number };
  /** Flow entries its traffic made that are still there, and the most it may have. */
  readonly flows: { readonly entries: number; readonly most: number };
  readonly fatFlows: readonly FatFlowDump[];
  /** Prefixes fat flows never fold. */
  readonly fatFlowExclude: readonly string[];
}

export type NexthopTypeName =
  'Dead' | 'Receive' | 'Encap' | 'Tunnel' | 'Resolve' | 'Drop' | 'Composite' | 'Vrf_Translate' | 'L2 Receive';
export type FamilyName = 'AF_INET' | 'AF_INET6' | 'AF_BRIDGE' | 'AF_UNSPEC';

export interface NexthopDump {
  readonly id: number;
  readonly type: NexthopTypeName;
  readonly family: FamilyName;
  readonly rid: number;
  readonly refCount: number;
  readonly vrf: number;
  /** Flag names in bit order (`Valid`, `Policy`, `Etree Root`, ...). */
  readonly flags: readonly string[];
  /** Only encap nexthops. `data` is the Ethernet header in hex, two digits a byte, no separators. */
  readonly encap?: { readonly family: number; readonly oif: number; readonly data: string };
  /** Only receive nexthops. */
  readonly oif?: number;
  /** Only tunnels. */
  readonly tunnel?: TunnelDump;
  /** Only composite nexthops; label -1: none. */
  readonly members?: readonly { readonly nexthop: number; readonly label: number }[];
}

/** Where a tunnel leads. */
export interface TunnelDump {
  readonly encapsulation: Encapsulation;
  readonly oif: number;
  /** Outer Ethernet header in hex; empty while the way to the other host is not known. */
  readonly data: string;
  /** Addresses of this host and of the other one on the underlay. */
  readonly source: string;
  readonly destination: string;
  /** Name of the other host; null: none of the hosts known. */
  readonly host: string | null;
  /** Largest IP packet the way there takes, outer headers included, bytes. */
  readonly mtu: number;
  /** MAC routed packets in VXLAN are sent to; null: that of no gateway. */
  readonly l3VxlanMac: string | null;
}

/** What packets that come with an MPLS label are for. */
export interface MplsDump {
  readonly label: number;
  readonly nexthop: number;
}

/** What packets that come with a VXLAN network identifier are for. */
export interface VxlanDump {
  readonly vni: number;
  readonly nexthop: number;
}

/** Family of a routing table. */
export type InetFamily = 'inet' | 'inet6';

export interface InetRouteDump {
  /** Address of the trie slot. */
  readonly prefix: string;
  /** Prefix length of the trie slot (8, 16, 24, 32; up to 128 for inet6). */
  readonly length: number;
  /** Parent prefix length: length of the route that fills the slot. */
  readonly ppl: number;
  /** Flag letters in the order L P T F. */
  readonly flags: readonly string[];
  readonly label: number | null;
  readonly nexthop: number;
  readonly stitchedMac: string | null;
  readonly stitchedIndex: number | null;
}

export interface BridgeRouteDump {
  readonly index: number;
  readonly mac: string;
  /** Flag letters in the order L Df. */
  readonly flags: readonly string[];
  readonly label: number | null;
  readonly nexthop: number;
  readonly packets: number;
}

/** One direction of a session: an entry of the flow table. */
export interface FlowDump {
  readonly index: number;
  /** How often the place in the table was given away, 0..255. */
  readonly generation: number;
  /** Index of the other direction; null: none. */
  readonly reverse: number | null;
  readonly family: InetFamily;
  /** IP protocol number. */
  readonly protocol: number;
  /** Addresses and ports of the key: those a fat flow ignores are 0.0.0.0, `::` and 0. */
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** K(nh): nexthop in the key. */
  readonly keyNexthop: number;
  readonly vrf: number;
  /** VRF the packets go on in, when it is another one. */
  readonly destinationVrf: number | null;
  readonly action: 'drop' | 'hold' | 'forward' | 'nat';
  /** Why packets are dropped, as `flow` prints it (`Policy`, `SG`, `NoSrcRt`, ...); null unless they are. */
  readonly dropReason: string | null;
  /** Letters in print order: S, Ps, D, Pd, L. */
  readonly nat: readonly string[];
  /** Letters in print order: E, Ec, N, M, Dm. */
  readonly flags: readonly string[];
  /** Letters in print order: S, Sr, E, Er, F, Fr, R, C, D. Empty unless the protocol is TCP. */
  readonly tcp: readonly string[];
  readonly ecmpMember: number | null;
  /** QoS map, -1: none. */
  readonly qos: number;
  /** S(nh): packets must come from where this nexthop leads; null: that is not checked. */
  readonly rpfNexthop: number | null;
  readonly packets: number;
  readonly bytes: number;
  /** Mirrors by index, at most two. */
  readonly mirrors: readonly number[];
  /** Outer UDP source port of tunnelled packets; 0: not chosen yet. */
  readonly udpSourcePort: number;
  /** TTL packets are given; 0: they keep theirs. */
  readonly ttl: number;
  /** Where the first packet came from: the outer source address, or the index of the interface as a little-endian dotted quad. */
  readonly sourceInfo: string;
  readonly fromFabric: boolean;
  /** Interface of this host the packets come from; null: none. */
  readonly vif: number | null;
  /** Whether this is the direction of the packet that began the session. */
  readonly forward: boolean;
  /** Whether several sessions may share the entry. */
  readonly fat: boolean;
  /** Whether the entry only remembers a refusal, and goes soon. */
  readonly short: boolean;
  /** Since the entry was made, and since its last packet, milliseconds. */
  readonly ageMs: number;
  readonly idleMs: number;
  /** Number of the access list and rule that decided; null: none did. */
  readonly decidedBy: { readonly acl: number; readonly rule: number } | null;
  /** Entries of the overflow that hang on the bucket of this one, its last. */
  readonly overflow?: readonly number[];
  /** Who talks to whom; only when it was asked for. */
  readonly names?: FlowNames;
}

export interface FlowNames {
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  /** The rule that decided, as its document names it (`NetworkPolicy/web rules[1]`). */
  readonly rule: string | null;
}

/** One end of a flow. */
export interface FlowEnd {
  /** Full name of the interface of this host that has the address. */
  readonly vmi: string | null;
  /** Full name of the network the address belongs to. */
  readonly network: string | null;
  /** Bits of the address that are not ignored by a fat flow: 32 or 128 for a whole address, 0 for any. */
  readonly prefixLength: number;
}

/** The flow table as a whole. */
export interface FlowTableDump {
  /** Bytes and entries of the table, the overflow included. */
  readonly bytes: number;
  readonly entries: number;
  readonly overflowEntries: number;
  readonly active: number;
  readonly overflowUsed: number;
  /** Pairs made for a packet, in all and by each worker. */
  readonly created: number;
  readonly createdByWorker: readonly number[];
  /** Entries made, removed; pairs decided anew. */
  readonly added: number;
  readonly deleted: number;
  readonly changed: number;
  /** New sessions refused: the table was full, the interface had its share. */
  readonly tableFull: number;
  readonly limited: number;
}

/** How many entries there are of each action. */
export type FlowCountsDump = Readonly<Record<FlowDump['action'], number>>;

/** What can be asked of one flow: let it pass, drop it, forget it, take away an entry of a dead TCP session. */
export const FLOW_OPS = ['forward', 'drop', 'delete', 'evict'] as const;
export type FlowOp = (typeof FLOW_OPS)[number];

/** What flows can be sorted by, largest first: `age` the oldest, `recent` those that had a packet last. */
export const FLOW_SORTS = ['bytes', 'packets', 'age', 'recent'] as const;
export type FlowSort = (typeof FLOW_SORTS)[number];

/** Drop counters by the name `dropstats` prints (every reason, zero included). */
export type DropstatsDump = Readonly<Record<string, number>>;

/** Counters of one VRF, by the name `vrfstats` prints, in print order. */
export interface VrfstatsDump {
  readonly vrf: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** One line of an answer to apply or delete. */
export interface ObjectOutcome {
  readonly kind: string;
  readonly name: string;
  readonly outcome: 'created' | 'changed' | 'unchanged' | 'deleted';
  /** With a dry run: what would change, one entry a field. */
  readonly changes?: readonly { readonly path: string; readonly from: unknown; readonly to: unknown }[];
}

/** A refusal: one line for the user, the path of the field it concerns. */
export interface ErrorReply {
  readonly error: { readonly code: string; readonly message: string; readonly path?: string };
}

/** Answer to `vrouter wait`: names what is not realised yet. */
export interface WaitDump {
  readonly realised: boolean;
  readonly pending: readonly { readonly kind: string; readonly name: string; readonly reason: string }[];
}

/** How full the flow table is, in entries, and what happened in it so far, in sessions. */
export interface FlowUseDump {
  readonly active: number;
  readonly size: number;
  /** Entries that found no room where they belong. */
  readonly overflow: number;
  readonly created: number;
  /** Removed for any reason; those that went because their TCP session was closed. */
  readonly deleted: number;
  readonly evicted: number;
  /** Decided anew after a change. */
  readonly changed: number;
  /** Refused: the table was full; the interface had its share. */
  readonly tableFull: number;
  readonly limited: number;
}

/** What this host has to do with others. */
export interface TunnelUseDump {
  /** Hosts tunnel packets are taken from. */
  readonly peers: number;
  /** Tunnels routes lead to, and those of them to which the way is not known. */
  readonly tunnels: number;
  readonly unresolved: number;
  /** MPLS labels and VXLAN network identifiers packets are taken with. */
  readonly labels: number;
  readonly vnis: number;
}

export interface StatusDump {
  readonly host: string;
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  readonly store: { readonly mode: 'embedded' | 'remote'; readonly connected: boolean; readonly epoch: string };
  readonly datapath: {
    readonly running: boolean;
    readonly restarts: number;
    /** Milliseconds since the worker's last sign of life. */
    readonly heartbeatAgeMs: number;
    /** received + generated + copied = sent + dropped + consumed, in packets. */
    readonly books: Readonly<Record<'received' | 'generated' | 'copied' | 'sent' | 'dropped' | 'consumed', number>>;
  };
  readonly flows: FlowUseDump;
  readonly tunnels: TunnelUseDump;
  /** Records of sessions: accepted by where they go, lost, and left out because there were too many at once. */
  readonly sessionRecords: { readonly written: number; readonly lost: number; readonly limited: number };
  readonly networks: number;
  readonly interfaces: { readonly total: number; readonly active: number };
  readonly warnings: readonly string[];
}

/**
 * `alive`: has a lease. `leaseExpired`: has none, nothing else is known yet. `keepaliveAnswered`: has none, but answers through
 * the tunnel: it is cut off from the store only. `withdrawn`: has none and does not answer; nothing is sent to it.
 */
export type HostStateName = 'alive' | 'leaseExpired' | 'keepaliveAnswered' | 'withdrawn';

/** A host of the cluster. What comes from the store is null while the store is away, and where the host has not said it. */
export interface HostDump {
  readonly name: string;
  /** Whether it is the one that was asked. */
  readonly self: boolean;
  readonly tunnelAddress: string | null;
  /** In its order of preference. */
  readonly encapsulations: readonly string[];
  readonly version: string | null;
  readonly state: HostStateName;
  /** What is left of its lease, ms; null: none, or not known. */
  readonly leaseMs: number | null;
  /**
   * How much of its log is not read yet, for this host: not written yet. `ms` lie between the last entry that was read and the
   * last there is. null: not known, or all of it is read anew.
   */
  readonly lag: { readonly entries: number; readonly ms: number } | null;
  /** Addresses, MAC addresses and networks it realises. */
  readonly routes: number;
  /** Values it has written that could not be read. */
  readonly invalid: number;
  /** Round trip of the last keepalive through the tunnel that was answered; null: none, they are sent only without a lease. */
  readonly keepaliveMs: number | null;
}

/** What was copied to another store. */
export interface StoreCopyDump {
  /** The target, without user and password. */
  readonly to: string;
  readonly prefix: string;
  readonly keys: number;
  readonly objects: number;
}

/** What was done to know the other hosts, since the start. */
export interface HostCountsDump {
  /** Entries of logs that were applied. */
  readonly applied: number;
  /** Hosts whose routes were read as a whole. */
  readonly rereads: number;
}

/** How far packets of a network for an address get is asked; they are not sent. */
export interface ProbeRequest {
  /** Short or full name of the network packets come from. */
  readonly network: string;
  readonly address: string;
  /** How long the other host may take. */
  readonly timeoutMs?: number;
}

/** How far packets of a network for an address get. */
export interface ProbeDump {
  /** Full name. */
  readonly network: string;
  readonly address: string;
  readonly vrf: number;
  /** Nexthop of the route here. */
  readonly nexthop: number;
  /** Where the tunnel leads; null: there is none. */
  readonly host: string | null;
  readonly hostAddress: string | null;
  readonly encapsulation: Encapsulation | null;
  /** MPLS label, or VNI with VXLAN; null: there is none. */
  readonly label: number | null;
  readonly outcome: ProbeOutcome;
  /** Interface of this host with the address. */
  readonly vif: number | null;
  /** From the question to the other host's answer. */
  readonly ms: number | null;
}

/**
 * `reachable`: the other host has an interface with the address behind the label. `local`: this host has it. `gateway`: this host
 * itself answers for it. The others say what is wrong. Here: `noRoute`, `noLabel` (no encapsulation is shared with the other host). On
 * the way: `noWay` (no route through the underlay interface), `unresolved` (nobody answers for the next hop), `lost` (no answer in
 * time). There: `unknownLabel`, `unknownAddress`, `otherInterface` (the label is another's).
 */
type ProbeOutcome =
  | 'reachable'
  | 'local'
  | 'gateway'
  | 'noRoute'
  | 'noLabel'
  | 'noWay'
  | 'unresolved'
  | 'lost'
  | 'unknownLabel'
  | 'unknownAddress'
  | 'otherInterface';

/** A header field that a step of a packet's way rewrote. */
export interface TraceChange {
  /** `ttl`, `dst mac`, `mss`, ... */
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

/** One step of a packet's way through the datapath. */
export interface TraceStep {
  /** `input`, `parse`, `flow`, `policy`, `bridge`, `route`, `neighbour`, `nexthop`, `segments`, `output`, `agent`, `answer`, `drop`. */
  readonly stage: string;
  /** What was looked at: an interface, a table and a key. */
  readonly subject: string;
  /** What was found, or done. */
  readonly result: string;
  readonly changes: readonly TraceChange[];
  /** Numbers of what the step names, by kind: `vif`, `vrf`, `nexthop`, `flow`, `acl`, ... */
  readonly ids: Readonly<Record<string, number>>;
}

/** What became of a packet: it left, it ended, the agent has it, or its sender was answered. */
export type TraceOutcome = 'sent' | 'dropped' | 'agent' | 'answered' | 'waits';

/** A packet left for another host. */
export interface TraceTunnel {
  /** Name of the host; null: none of the hosts known has the address. */
  readonly host: string | null;
  /** Its address on the underlay. */
  readonly address: string;
  readonly encapsulation: Encapsulation;
  /** MPLS label, or VNI with VXLAN. */
  readonly label: number;
  /** The frame on the underlay, in hex. Null in a live trace, where it is not kept. */
  readonly frame: string | null;
}

export interface TraceDump {
  /** The packet in words. */
  readonly packet: string;
  /** Bytes of the frame. */
  readonly length: number;
  /** Interface it came in by, and the full name of what is behind it (null: one of the fixed interfaces). */
  readonly vif: number;
  readonly vmi: string | null;
  readonly steps: readonly TraceStep[];
  /** Steps left out because there were too many. */
  readonly lost: number;
  readonly outcome: TraceOutcome;
  /** The outcome in words. */
  readonly verdict: string;
  /** Name of the drop counter; null: it was not dropped. */
  readonly drop: string | null;
  /** What the agent sends back for it, and the way of that. Only of a dry run. */
  readonly answers: readonly TraceDump[];
  /** The tunnels it left by. */
  readonly tunnels: readonly TraceTunnel[];
}

/** What a live trace tells: first that packets are waited for, then each packet. */
export type LiveTrace = { readonly waiting: true } | TraceDump;

/** A packet to trace: `packet` in words, or the whole `frame` in hex. MACs are in text. */
export interface TraceRequest {
  /**
   * Name of a virtual machine interface, or `vif0/N`. `fabric`: the underlay, with a frame. `fabric:HOST`: a tunnel of that host, and
   * the packet in words begins with `label N` or `vni N`.
   */
  readonly vmi: string;
  readonly packet?: string;
  readonly frame?: string;
  readonly srcMac?: string;
  readonly dstMac?: string;
  readonly ttl?: number;
  /** Bytes of the whole frame. */
  readonly length?: number;
  readonly vlan?: number;
}
