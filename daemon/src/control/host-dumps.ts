/** What the daemon answers about the other hosts: the cluster, the store they share, how far packets get. */
import type { Encapsulation } from '../wire/encapsulation.js';

/**
 * `alive`: has a lease. `leaseExpired`: has none, nothing else is known yet. `keepaliveAnswered`: has none, but answers through
 * the tunnel: it is cut off from the store only. `withdrawn`: has none and does not answer; nothing is sent to it. `configured`: a
 * TunnelEndpoint, of which the configuration says all there is to know.
 */
export type HostStateName = 'alive' | 'leaseExpired' | 'keepaliveAnswered' | 'withdrawn' | 'configured';

/** A host of the cluster, or a TunnelEndpoint (by kind and name). What comes from the store is null while the store is away, and where the host has not said it. */
export interface HostDump {
  readonly name: string;
  /** Whether it is the one that was asked. */
  readonly self: boolean;
  readonly tunnelAddress: string | null;
  /** In its order of preference. */
  readonly encapsulations: readonly string[];
  /** What packets from the host that was asked to this one are wrapped in; null: the two have none in common, or it is the same. */
  readonly encapsulation: Encapsulation | null;
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
