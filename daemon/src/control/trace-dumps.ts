/** What `vrouter trace` asks and is answered: the way of a packet through the datapath, step by step. */
import type { Encapsulation } from '../wire/encapsulation.js';

/** A header field that a step of a packet's way rewrote. */
export interface TraceChange {
  /** `ttl`, `dst mac`, `mss`, ... */
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

/** One step of a packet's way through the datapath. */
export interface TraceStep {
  /**
   * `input`, `parse`, `policy`, `decide`, `flow`, `mirror`, `bridge`, `route`, `neighbour`, `nexthop`, `segments`, `tunnel`, `arrival`,
   * `output`, `agent`, `answer`, `wait`, `drop`.
   */
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
