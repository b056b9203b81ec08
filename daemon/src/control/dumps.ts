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
  /** Mirrors its frames are copied to, by index. */
  readonly mirrors: readonly number[];
  /** What copies with a header carry of what the guest sends and is sent, in hex; null: nothing is copied. */
  readonly mirrorMetadata: { readonly ingress: string; readonly egress: string } | null;
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
  /** Only tunnels in plain UDP, which mirrors have. */
  readonly udpTunnel?: UdpTunnelDump;
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

/** Where copies go in UDP. */
export interface UdpTunnelDump {
  readonly oif: number;
  /** Outer Ethernet header in hex. */
  readonly data: string;
  readonly source: string;
  readonly destination: string;
  /** Of copies of what is not IP. */
  readonly sourcePort: number;
  readonly destinationPort: number;
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
