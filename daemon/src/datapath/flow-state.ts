import type { Counters } from '../tables/counters.js';
import { VIF } from '../tables/counters.js';
import { FLOW, FLOW_OWN, type FlowTable, newFlowKey } from '../tables/flow.js';
import type { Vif } from '../tables/vif.js';
import { FlowDecision } from './flow-decide.js';

/** Why a pair of flow entries is gone. */
export const FLOW_END = {
  /** Nothing came for the time configured; or it was a short flow. */
  aged: 0,
  /** Its TCP session was closed. */
  closed: 1,
  /** An operator asked. */
  asked: 2,
  /** What it was decided by is not there any more. */
  changed: 3,
} as const;
export type FlowEnd = (typeof FLOW_END)[keyof typeof FLOW_END];

/** Hears of sessions, when they change and never for a packet. `index` is that of the forward entry, whole at the time. */
export interface SessionSink {
  /** A pair that lets packets pass was made. */
  began(index: number): void;
  /** A pair is about to be removed. */
  ended(index: number, cause: FlowEnd): void;
  /** A pair that drops packets was made, or is one from now on. */
  refused(index: number): void;
}

/** Closed pairs that wait to be removed at most; with more, the oldest goes at once. A power of two. */
const CLOSED = 1024;

/** The flow table of a worker, and what the flow stage keeps between packets. */
export class FlowState {
  readonly table: FlowTable;
  readonly counters: Counters;
  /** Key of the packet in hand as it is, one for each family; the key it is looked up by; and that of the answers. */
  readonly real4 = newFlowKey();
  readonly real6 = newFlowKey();
  real = this.real4;
  /** One of the above, or what fat-flow rules made of it. */
  key = this.real4;
  readonly fat = newFlowKey();
  readonly answer = newFlowKey();
  readonly decision = new FlowDecision();
  /** The same of a pair that is decided anew, perhaps in the midst of a packet's. */
  readonly oldKey = newFlowKey();
  readonly oldDecision = new FlowDecision();
  /** Whose rules folded the key: one of FOLDED. */
  folded = 0;
  sessions: SessionSink | null = null;
  /** Entries an interface may have where its record names no number. */
  readonly share: number;
  /** Secret of the outer ports; only who wants to see the same twice sets it. */
  seed = (Math.random() * 0x7fffffff) | 0;
  /** Places the sweep still has to look at, the next of them, and the time of the change it has seen last. */
  sweepLeft = 0;
  sweepAt = 0;
  sweptEpoch = 0;
  /** Idle pairs somebody asked to remove: (index, generation, idle ms) each; and how far the first list is done. */
  readonly ageing: Int32Array[] = [];
  ageingAt = 0;
  /** Closed pairs: index and generation each. */
  readonly #closed = new Int32Array(CLOSED * 2);
  #closedHead = 0;
  #closedTail = 0;

  constructor(table: FlowTable, counters: Counters, share: number) {
    this.table = table;
    this.counters = counters;
    this.share = share;
  }

  /** Entries the interface's traffic made. */
  countOf(vif: number): number {
    return this.counters.words[this.counters.vifAt(vif) + VIF.flows];
  }

  /** Whether one more pair would be more than the interface may have. */
  isFull(vif: Vif): boolean {
    return this.countOf(vif.id) + 2 > (vif.maxFlows > 0 ? vif.maxFlows : this.share);
  }

  /** Counts entries in or out; of an interface that is gone nobody counts. */
  count(vif: number, entries: number): void {
    const word = this.counters.vifAt(vif) + VIF.flows;
    this.counters.words[word] = Math.max(0, this.counters.words[word] + entries);
  }

  /** The forward entry of a pair, given either. */
  forwardOf(index: number): number {
    const { words } = this.table;
    const at = this.table.at(index);
    const isForward = ((words[at + FLOW.owner] >>> 16) & FLOW_OWN.forward) !== 0;
    return isForward || words[at + FLOW.reverse] < 0 ? index : words[at + FLOW.reverse];
  }

  /** Puts a closed pair where it waits to be removed. Returns the index of one that must go now for lack of room, or -1. */
  close(index: number): number {
    let oldest = -1;
    if (this.#closedTail - this.#closedHead === CLOSED) oldest = this.nextClosed();
    const slot = (this.#closedTail++ & (CLOSED - 1)) * 2;
    this.#closed[slot] = index;
    this.#closed[slot + 1] = this.table.generation(index);
    return oldest;
  }

  /** Takes the next closed pair that is still there; -1: none. */
  nextClosed(): number {
    while (this.#closedHead !== this.#closedTail) {
      const slot = (this.#closedHead++ & (CLOSED - 1)) * 2;
      const index = this.#closed[slot];
      if (this.table.isUsed(index) && this.table.generation(index) === this.#closed[slot + 1]) return index;
    }
    this.#closedHead = this.#closedTail = 0;
    return -1;
  }
}
