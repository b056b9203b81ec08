import { get16, get32 } from '../wire/bytes.js';
import * as arp from '../wire/arp.js';
import * as ethernet from '../wire/ethernet.js';
import { hasPorts } from '../wire/ip-protocol.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import { VIF_TYPE } from '../tables/records.js';
import type { Datapath } from './datapath.js';
import { parse, parseEthernet } from './parse.js';

/** What the stages tell of a packet, and what the four numbers of each say. */
export const STEP = {
  /** Came in: interface, bytes, packets it stands for, interface the agent sends it to (-1: it is not the agent's). */
  input: 0,
  /** Headers read: EtherType, IP protocol (-1: none), 1: has a VLAN tag, offset of the transport header in the frame (0: none). */
  parse: 1,
  /** Looked up in a bridge table: VRF, slot (-1: nothing found), nexthop (-1), 1: whom to flood to. */
  bridge: 2,
  /** Looked up in a routing table: length of the route, its nexthop, offset of the address in the frame, its ROUTE_FLAGs. */
  route: 3,
  /** Who answers an ARP request or neighbour solicitation: one of ANSWER. */
  neighbour: 4,
  /** Given to a nexthop: its id. */
  nexthop: 5,
  /** Cut into segments for a port without offloads: interface. */
  segments: 6,
  /** Queued for a port: interface, bytes, packets. */
  output: 7,
  /** Handed to the agent: PUNT command, drop reason if that failed (-1: it did not), 1: a copy, the packet goes on. */
  agent: 8,
  /** Replaced by an answer to the sender. */
  answer: 9,
  /** Dropped: reason, packets. */
  drop: 10,
  /** An access list was asked about a session: list, the rule that decides (-1: none does). */
  policy: 11,
  /** A session was decided, for the first time or anew: its forward entry, FLOW_ACTION, FLOW_DROP reason, what decided (see FLOW.rule). */
  decide: 12,
  /** Belongs to a session: flow entry, 1: the entry was made for it, the entry's state word, S(nh). */
  flow: 13,
  /** A fragment that came before the first of its datagram, and waits for it. */
  wait: 14,
  /** Wrapped for another host: the tunnel's nexthop, label or VNI, outer UDP source port (0: GRE), bytes with the outer headers. */
  tunnel: 15,
  /** Taken out of a tunnel: 0: MPLS, 1: VXLAN; label or VNI, its nexthop (-1: nobody's), the host it came from. */
  arrival: 16,
  /**
   * Mirrored: index of the mirror, one of MIRRORED, one of MIRROR_OUTCOME, the nexthop of the copy (-1: none). Steps of the copy follow.
   */
  mirror: 17,
} as const;

/** What is copied: what an interface receives, what it sends, the packets of a session. */
export const MIRRORED = { received: 0, sent: 1, flow: 2 } as const;
/** What became of copying: there is a copy; there is none, as there is no such mirror, no way to its analyzer ... */
export const MIRROR_OUTCOME = {
  copied: 0,
  /** The mirror is not there, or not any more. */
  gone: 1,
  /** Where the analyzer is is not known, or nothing leads there. */
  unresolved: 2,
  sampledOut: 3,
  limited: 4,
  /** It is a copy for this analyzer itself. */
  looped: 5,
  /** The NIC does it, where the packet leaves through the underlay. */
  byNic: 6,
} as const;

/** Who answers for an address: the MAC bound to it, the interface's own, its owner; nobody is asked about an announcement. */
export const ANSWER = { stitched: 0, gateway: 1, owner: 2, announcement: 3 } as const;

/**
 * 32-bit words of a step: what it is, its numbers, VRF and interface of the packet, bytes of header kept, 1: it is of a copy for an
 * analyzer.
 */
export const STEP_WORD = { kind: 0, a: 1, b: 2, c: 3, d: 4, vrf: 5, vif: 6, head: 7, copy: 8, words: 9 } as const;
/** Bytes kept of the frame as it was at a step: all headers, options included. */
export const HEAD_BYTES = 160;
/** Steps kept of a packet; a flood to more interfaces is cut. */
const MAX_STEPS = 128;

/** What happened to one packet. Plain data, to be sent from thread to thread. */
export interface TraceRecord {
  /** Steps in order: `STEP_WORD.words` numbers each. */
  readonly steps: Int32Array;
  /** The frame's first bytes at each step: HEAD_BYTES each. */
  readonly heads: Uint8Array;
  /** Steps that were not kept. */
  readonly lost: number;
}

/** One end of a session as a filter asks for it. */
export interface TraceEnd {
  /** 4 or 6; 0: any address. */
  readonly family: number;
  /** Address as 32-bit numbers: one, or four. */
  readonly address: readonly number[];
  /** -1: any. */
  readonly port: number;
}

/** Which packets are traced; -1: any. */
export interface TraceFilter {
  readonly vif: number;
  readonly vrf: number;
  /** IP protocol. */
  readonly protocol: number;
  readonly etherType: number;
  /** At most two: one is source or destination, two are both, in either order. */
  readonly ends: readonly TraceEnd[];
}

/**
 * Writes down what the stages do with packets. A datapath that has none pays a comparison with null at each decision; one that
 * has one keeps numbers and the first bytes of the frame, whose differences from step to step are what was rewritten.
 */
export class Tracer {
  readonly #dp: Datapath;
  readonly #filter: TraceFilter | null;
  readonly #done: (record: TraceRecord) => void;
  readonly #steps = new Int32Array(MAX_STEPS * STEP_WORD.words);
  readonly #heads = new Uint8Array(MAX_STEPS * HEAD_BYTES);
  #count = 0;
  #lost = 0;
  #recording = false;
  /** Whether the packet passes the filter. One from another host may do so yet, when it is taken out of its tunnel. */
  #passes = false;

  /** @param done called after each packet that passes the filter (null: every packet does). */
  constructor(dp: Datapath, filter: TraceFilter | null, done: (record: TraceRecord) => void) {
    this.#dp = dp;
    this.#filter = filter;
    this.#done = done;
  }

  /**
   * A frame came in: `vif`, `vrf`, `at` and `end` of the packet in hand are set.
   * @param to interface the agent sends it to; -1: it is not the agent's.
   */
  begin(to: number): void {
    this.end();
    const dp = this.#dp;
    const { p } = dp;
    this.#count = 0;
    this.#lost = 0;
    // Read here for the stages' sake as well: they read the headers themselves and need not tell.
    const sound = parseEthernet(dp) && parse(dp);
    this.#passes = this.#filter === null || this.#matches(this.#filter, to, sound);
    this.#recording = this.#passes || dp.tables.vifs.get(p.vif)?.type === VIF_TYPE.physical;
    this.step(STEP.input, p.vif, p.end - p.at, p.packets, to);
    if (sound) this.step(STEP.parse, p.etherType, p.protocol, p.tagged ? 1 : 0, p.l4At === 0 ? 0 : p.l4At - p.at);
  }

  /** The packet in hand was taken out of a tunnel: its inner headers are read. */
  inside(): void {
    if (!this.#recording) return;
    const { p } = this.#dp;
    if (this.#filter && this.#matches(this.#filter, -1, p.protocol >= 0 || !ethernet.isIp(p.etherType)))
      this.#passes = true;
    this.step(STEP.parse, p.etherType, p.protocol, p.tagged ? 1 : 0, p.l4At === 0 ? 0 : p.l4At - p.at);
  }

  /** One step of the packet in hand; see STEP. */
  step(kind: number, a = 0, b = 0, c = 0, d = 0): void {
    if (!this.#recording) return;
    if (this.#count === MAX_STEPS) {
      this.#lost++;
      return;
    }
    const { b: bytes, mirrors } = this.#dp;
    // Copies are told of when they are in hand already.
    const p = kind === STEP.mirror ? mirrors.original : this.#dp.p;
    const word = this.#count * STEP_WORD.words;
    const head = Math.max(0, Math.min(p.end - p.at, HEAD_BYTES));
    this.#steps[word + STEP_WORD.kind] = kind;
    this.#steps[word + STEP_WORD.a] = a;
    this.#steps[word + STEP_WORD.b] = b;
    this.#steps[word + STEP_WORD.c] = c;
    this.#steps[word + STEP_WORD.d] = d;
    this.#steps[word + STEP_WORD.vrf] = p.vrf;
    this.#steps[word + STEP_WORD.vif] = p.vif;
    this.#steps[word + STEP_WORD.head] = head;
    this.#steps[word + STEP_WORD.copy] = p.isCopy ? 1 : 0;
    const to = this.#count * HEAD_BYTES;
    for (let i = 0; i < head; i++) this.#heads[to + i] = bytes[p.at + i];
    this.#count++;
  }

  /** The last packet is through. */
  end(): void {
    if (!this.#recording) return;
    this.#recording = false;
    if (!this.#passes) return;
    this.#done({
      steps: this.#steps.slice(0, this.#count * STEP_WORD.words),
      heads: this.#heads.slice(0, this.#count * HEAD_BYTES),
      lost: this.#lost,
    });
  }

  /** A frame whose headers are not sound has no protocol, and no ends. */
  #matches(filter: TraceFilter, to: number, sound: boolean): boolean {
    const { p } = this.#dp;
    if (filter.vif >= 0 && filter.vif !== p.vif && filter.vif !== to) return false;
    if (filter.vrf >= 0 && filter.vrf !== p.vrf) return false;
    if (!sound) return filter.etherType < 0 && filter.protocol < 0 && filter.ends.length === 0;
    if (filter.etherType >= 0 && filter.etherType !== p.etherType) return false;
    if (filter.protocol >= 0 && filter.protocol !== p.protocol) return false;
    const [one, other] = filter.ends;
    if (filter.ends.length === 0) return true;
    if (filter.ends.length === 1) return this.#endIs(one, true) || this.#endIs(one, false);
    return (
      (this.#endIs(one, true) && this.#endIs(other, false)) || (this.#endIs(one, false) && this.#endIs(other, true))
    );
  }

  /** Whether the packet's source, or its destination, is what the filter says. */
  #endIs({ family, address, port }: TraceEnd, source: boolean): boolean {
    const { p, b } = this.#dp;
    if (family !== 0) {
      const at = this.#addressAt(family, source);
      if (at < 0) return false;
      for (const [i, word] of address.entries()) if (get32(b, at + 4 * i) !== word >>> 0) return false;
    }
    if (port < 0) return true;
    const portAt = p.l4At + (source ? 0 : 2);
    return hasPorts(p.protocol) && p.l4At > 0 && portAt + 2 <= p.end && get16(b, portAt) === port;
  }

  /** Offset of the source or destination address, -1: the packet has none of this family. */
  #addressAt(family: number, source: boolean): number {
    const { p } = this.#dp;
    if (family === 4 && p.etherType === ethernet.TYPE_IPV4) return p.l3At + (source ? ipv4.SRC : ipv4.DST);
    if (family === 6 && p.etherType === ethernet.TYPE_IPV6) return p.l3At + (source ? ipv6.SRC : ipv6.DST);
    if (family === 4 && p.etherType === ethernet.TYPE_ARP && arp.fits(p.l3At, p.end)) {
      return p.l3At + (source ? arp.SENDER_IP : arp.TARGET_IP);
    }
    return -1;
  }
}
