import { CTL, type FrameIo, RX, TX, TX_QUEUE, VNET_LEN } from '../io/device.js';
import { DROP, type DropReason } from '../packet/drop.js';
import type { FrameRing } from '../packet/frame-ring.js';
import { Packet } from '../packet/packet.js';
import { type Counters, HEADER, type VRF_STAT, type VrfStat } from '../tables/counters.js';
import type { FlowTable } from '../tables/flow.js';
import type { Tables } from '../tables/tables.js';
import { TokenBucket } from '../tables/token-bucket.js';
import { FlowState } from './flow-state.js';
import { releaseRun } from './fabric-merge.js';
import { FabricState } from './fabric-state.js';
import { Fragments, type FragmentSizes } from './fragment.js';
import { releaseFragments } from './fragment-release.js';
import { Segmenter } from './offload.js';
import { MirrorState } from './mirror-state.js';
import { STEP, type Tracer } from './tracer.js';
import { settle } from './vif-output.js';
import { vifInput } from './vif-input.js';

/** Bytes in front of a frame in the scratch area: room for headers, and `% 4 == 2` for the Ethernet header. */
const SCRATCH_LEAD = 128 + 2;

export interface DatapathOptions {
  /** Frames to the agent a second and interface, and how many at once. */
  readonly agentRate: number;
  readonly agentBurst: number;
  /**
   * MTU of the underlay, bytes, less what outer headers of IPv6 are longer: TCP's segment size is clamped to what fits through a
   * tunnel.
   */
  readonly underlayMtu: number;
  /** Whether routers of the underlay may not cut tunnel packets (DF of outer IPv4); as usual: they may not. */
  readonly outerDf?: boolean;
  /** Flow entries an interface may have where nothing else is configured for it. */
  readonly flowsPerInterface: number;
  /** Whether every TCP reset ends its session; else one whose number is right. */
  readonly closeOnAnyReset?: boolean;
  /** Datagrams and fragments to keep in mind, where that is not as usual. */
  readonly fragments?: FragmentSizes;
}

/**
 * The state of one worker's datapath, and its batch. The stages are the other files of this folder in the order a frame meets
 * them: vif-input, parse, arp or nd, trap, flow, bridge, route, nexthop, vif-output or tunnel-output. Each takes the datapath with
 * the frame in hand in `p`, does one thing, and names the next.
 */
export class Datapath {
  readonly p = new Packet();
  /** The arena, seen as bytes. */
  readonly b: Uint8Array;
  readonly segmenter = new Segmenter();
  /** Writes down what happens to packets; null: nobody wants to know. */
  tracer: Tracer | null = null;
  /** Frames waiting in io.tx. */
  queued = 0;
  /** Whether frames were put into the ring to the agent since the loop last looked. */
  punted = false;
  /** Time of this round by a clock that never goes back, ms. */
  now = 0;
  /** Identification of the next outer IPv4 header. */
  outerId = 0;
  readonly io: FrameIo;
  readonly tables: Tables;
  readonly counters: Counters;
  readonly options: DatapathOptions;
  readonly flow: FlowState;
  readonly fragments: Fragments;
  readonly keepalives = new TokenBucket();
  readonly fabric: FabricState;
  readonly mirrors = new MirrorState();
  /** Counts how often everything queued was sent: what is made after that may lie where it did. */
  rounds = 0;
  /** Frames for the agent. */
  readonly toAgent: FrameRing;
  /** First free byte of the scratch area, and its end. */
  #scratch: number;
  #scratchEnd: number;
  /** A frame that stays in the scratch area. */
  #heldAt = -1;
  #heldEnd = -1;

  constructor(
    io: FrameIo,
    tables: Tables,
    counters: Counters,
    toAgent: FrameRing,
    flows: FlowTable,
    options: DatapathOptions,
  ) {
    this.io = io;
    this.tables = tables;
    this.counters = counters;
    this.toAgent = toAgent;
    this.flow = new FlowState(flows, counters, options.flowsPerInterface);
    this.fragments = new Fragments(options.fragments);
    this.options = options;
    this.b = new Uint8Array(io.arena);
    this.fabric = new FabricState(io);
    this.#scratch = io.scratchAt;
    this.#scratchEnd = this.fabric.buffersAt;
  }

  /** Runs the `n` frames the last step received to completion; returns how many frames wait to be sent. */
  run(n: number): number {
    this.now = this.io.clock[0];
    this.#sent();
    const rx = this.io.rx;
    try {
      for (let i = 0; i < n; i++) {
        const word = i * RX.words;
        vifInput(this, rx[word + RX.port], rx[word + RX.at], rx[word + RX.length]);
        if (this.fragments.due) releaseFragments(this);
      }
      if (this.fabric.run.count > 0) releaseRun(this);
    } catch (error) {
      // A broken invariant ends the worker. What was decided before it still goes out, and the frame in hand is accounted for.
      this.drop('misc');
      this.flush();
      throw error;
    }
    this.tracer?.end();
    return this.queued;
  }

  /** Sends what is queued now. Afterwards the scratch area is free and nothing refers to a frame. */
  flush(): void {
    this.io.flush(this.queued);
    this.#sent();
  }

  /** Books what the device did with the frames of the last step or flush. */
  #sent(): void {
    if (this.io.ctl[CTL.failed] > 0) settle(this, this.queued);
    this.io.ctl[CTL.failed] = 0;
    this.queued = 0;
    this.rounds++;
    this.#freeScratch();
  }

  /** The scratch area is free again, but for the frame in hand and one that is held if they lie there: the largest part beside them. */
  #freeScratch(): void {
    const start = this.io.scratchAt;
    const end = this.fabric.buffersAt;
    const isInHand = this.p.at >= start && this.p.at < end;
    const isHeld = this.#heldAt >= start && this.#heldAt < end;
    const handAt = isInHand ? this.p.at : start;
    const handEnd = isInHand ? this.p.end : start;
    const heldAt = isHeld ? this.#heldAt : start;
    const heldEnd = isHeld ? this.#heldEnd : start;
    const firstAt = Math.min(handAt, heldAt);
    const firstEnd = handAt <= heldAt ? handEnd : heldEnd;
    const secondAt = Math.max(handAt, heldAt);
    const secondEnd = Math.max(handEnd, heldEnd);
    const inFront = firstAt - start;
    const between = secondAt - firstEnd;
    const behind = end - secondEnd;
    if (behind >= between && behind >= inFront) {
      this.#scratch = (secondEnd + 15) & ~15;
      this.#scratchEnd = end;
    } else if (between >= inFront) {
      this.#scratch = (firstEnd + 15) & ~15;
      this.#scratchEnd = secondAt - SCRATCH_LEAD;
    } else {
      this.#scratch = start;
      this.#scratchEnd = firstAt - SCRATCH_LEAD;
    }
  }

  /** The frame [at, end) stays in its place beside the one in hand, until another is named; -1: none. */
  hold(at: number, end: number): void {
    this.#heldAt = at;
    this.#heldEnd = end;
  }

  /**
   * Room for one frame to be made, with headroom for its virtio-net header, and a tx descriptor to send it with: what is made here
   * is queued before the next frame is. Flushes when one of them is used up, so that queueing it never does.
   */
  scratch(length: number): number {
    const room = SCRATCH_LEAD + length <= this.#scratchEnd - this.#scratch;
    if (!room || this.queued === TX_QUEUE) this.flush();
    const at = this.#scratch + SCRATCH_LEAD;
    this.#scratch = (at + length + 15) & ~15;
    this.b.fill(0, at - VNET_LEN, at);
    return at;
  }

  /** A free tx descriptor, as its first word. Flushes when the queue is full. */
  txDescriptor(): number {
    if (this.queued === TX_QUEUE) this.flush();
    return this.queued++ * TX.words;
  }

  /** The frame in hand ends here, counted. */
  drop(reason: DropReason): void {
    this.counters.drop(this.p.vif, DROP[reason], this.p.packets);
    this.tracer?.step(STEP.drop, DROP[reason], this.p.packets);
  }

  /** The frame in hand ends here, neither sent nor dropped. */
  consume(): void {
    this.counters.words[HEADER.consumed] += this.p.packets;
  }

  /** The frame in hand was made over into the answer to it, which is another one. */
  answered(): void {
    const { p } = this;
    this.consume();
    this.tracer?.step(STEP.answer);
    this.counters.words[HEADER.generated]++;
    p.packets = 1;
    p.bytes = p.end - p.at;
  }

  /** Counts the frame in hand in its VRF. */
  vrfStat(stat: (typeof VRF_STAT)[VrfStat]): void {
    this.counters.words[this.counters.vrfAt(this.p.vrf) + stat] += this.p.packets;
  }
}
