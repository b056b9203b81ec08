import type { FrameIo } from '../io/device.js';
import { Vif } from '../tables/vif.js';
import { fabricOf } from '../tables/vrf.js';
import type { Datapath } from './datapath.js';
import { Run, Segment } from './fabric-segment.js';

/** Longest IP packet, and room in front of it for a tunnel header, an Ethernet header and whatever the frame is sent with. */
const LONGEST = 65_535;
const LEAD = 256;
const BUFFER = (LEAD + LONGEST + 15) & ~15;
/** Part of the scratch area that buffers may take, and how many there are at most. */
const SHARE = 4;
const MOST = 32;

const ANSWERS = fabricOf({ id: 0, name: '', network: 0, acl: -1, rpf: false, floodUnknownUnicast: false });

/** What is known of a frame from the underlay whose outer headers were read: who sent it, and where it lies. */
export class Outer {
  vif = 0;
  peer = -1;
  source = 0;
  ecn = 0;
  at = 0;
  end = 0;
  l3At = 0;
  etherType = 0;
  /** Bytes of TCP data in each segment, when it is one super-frame that a host on this machine has wrapped; else 0. */
  segmentSize = 0;

  set(o: Outer): void {
    this.vif = o.vif;
    this.peer = o.peer;
    this.source = o.source;
    this.ecn = o.ecn;
    this.at = o.at;
    this.end = o.end;
    this.l3At = o.l3At;
    this.etherType = o.etherType;
    this.segmentSize = o.segmentSize;
  }
}

/** What the stages for packets of other hosts keep from one to the next. */
export class FabricState {
  /** Of the frame in hand, and of the first of the run that waits. */
  readonly outer = new Outer();
  readonly runOuter = new Outer();
  /** Whom answers to the agent come from: their share of what it takes is not that of errors, which anybody can send. */
  readonly answers = new Vif(ANSWERS);
  readonly segment = new Segment();
  readonly run = new Run();
  /** First byte of the buffers runs are put together in, and bytes they take: the end of the scratch area. */
  readonly buffersAt: number;
  readonly buffersLength: number;
  readonly #buffers: number;
  /** The round that buffers are counted in, the next one, the one taken last, and one whose run may have begun before that round. */
  #round = -1;
  #next = 0;
  #last = -1;
  #held = -1;

  constructor({ scratchAt, scratchLength }: Pick<FrameIo, 'scratchAt' | 'scratchLength'>) {
    const buffers = Math.min(MOST, Math.floor(scratchLength / SHARE / BUFFER));
    this.#buffers = buffers;
    this.buffersLength = buffers * BUFFER;
    this.buffersAt = scratchAt + scratchLength - this.buffersLength;
  }

  /**
   * A buffer for a run, -1: there is none. What was put together in it before is sent. Every round begins with the first again, which
   * the processor still has at hand.
   */
  takeBuffer(dp: Pick<Datapath, 'rounds' | 'flush'>): number {
    if (this.#buffers === 0) return -1;
    if (this.#round !== dp.rounds) this.#begin(dp, this.#last);
    if (this.#next === this.#held) this.#next++;
    if (this.#next >= this.#buffers) {
      dp.flush();
      this.#begin(dp, -1);
    }
    this.#last = this.#next++;
    return this.buffersAt + this.#last * BUFFER + LEAD - 64;
  }

  /** @param held the buffer of a run that a flush may have overtaken: it is queued, not sent. */
  #begin(dp: Pick<Datapath, 'rounds'>, held: number): void {
    this.#round = dp.rounds;
    this.#next = 0;
    this.#held = held;
  }
}
