/** What the daemon answers to `flow` and `vrouter flows`: entries of the flow table, and the table as a whole. */
import type { InetFamily } from './dumps.js';

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
