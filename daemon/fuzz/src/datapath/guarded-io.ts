import { CTL, type FrameIo, HEADROOM, MAX_FRAME, RX, TX, TX_QUEUE, VNET_LEN } from '#vrouterd/io/device.js';
import { must } from '../engine/target.js';

/** Frames a batch has at most. */
export const BATCH = 16;
const SLOT = (HEADROOM + MAX_FRAME + 15) & ~15;
/** Room for few super-frames, so that it is often used up; a quarter is enough to put one together in. */
const SCRATCH = 260 * 1024;
/** Bytes in front of a frame that what is sent through a tunnel takes for its outer headers. */
const FRONT = 128;
/** Bytes behind the scratch area that nobody may touch. */
const GUARD = 4096;
const FRAME_AT = HEADROOM + 2;

/** A frame on its way out, or in. */
export interface Descriptor {
  readonly port: number;
  readonly at: number;
  readonly length: number;
}

/**
 * The device of a fuzzed datapath. Every byte of the arena that no frame occupies holds a known value: one that changed was
 * written where nobody may write, and what depends on which value it is was read where nobody may read.
 */
export class GuardedIo implements FrameIo {
  readonly arena = new ArrayBuffer(BATCH * SLOT + SCRATCH + GUARD);
  readonly bytes = new Uint8Array(this.arena);
  readonly rx = new Int32Array(BATCH * RX.words);
  readonly tx = new Int32Array(TX_QUEUE * TX.words);
  readonly ctl = new Int32Array(CTL.words);
  /** Moves only when the world moves it. */
  readonly clock = new Float64Array(1);
  readonly scratchAt = BATCH * SLOT;
  readonly scratchLength = SCRATCH;
  /** errno a port answers to every frame. */
  readonly refusing = new Map<number, number>();
  /** Called for every frame a port takes. */
  onSent: (descriptor: Descriptor) => void = () => undefined;
  /** Called by each step after sending: places what arrives. Returns how many frames did. */
  onStep: () => number = () => 0;
  /** Frames of the batch at hand. */
  readonly received: Descriptor[] = [];
  readonly #fill: number;
  readonly #pattern: Uint8Array;

  constructor(fill: number) {
    this.#fill = fill;
    this.bytes.fill(fill);
    this.#pattern = new Uint8Array(SLOT).fill(fill);
  }

  /** Forgets what an earlier run left. */
  reset(): void {
    this.#clear();
    this.refusing.clear();
    this.ctl.fill(0);
    this.clock[0] = 1_000_000;
    this.rx.fill(0);
    this.tx.fill(0);
  }

  /** Places a frame that arrives with the step at hand. */
  place(port: number, frame: Uint8Array, vnet: Uint8Array): void {
    const i = this.received.length;
    const at = i * SLOT + FRAME_AT;
    this.bytes.set(vnet, at - VNET_LEN);
    this.bytes.set(frame, at);
    this.received.push({ port, at, length: frame.length });
    const word = i * RX.words;
    this.rx[word + RX.port] = port;
    this.rx[word + RX.at] = at;
    this.rx[word + RX.length] = frame.length;
  }

  step(queued: number): number {
    this.flush(queued);
    this.checkGuards();
    this.#clear();
    return this.onStep();
  }

  flush(queued: number): void {
    this.ctl[CTL.failed] = 0;
    for (let d = 0; d < queued * TX.words; d += TX.words) {
      const descriptor = { port: this.tx[d + TX.port], at: this.tx[d + TX.at], length: this.tx[d + TX.length] };
      must(this.#isFrame(descriptor), () => `tx descriptor outside of every frame: ${JSON.stringify(descriptor)}`);
      const status = this.refusing.get(descriptor.port) ?? 0;
      this.tx[d + TX.status] = status;
      if (status === 0) this.onSent(descriptor);
      else this.ctl[CTL.failed]++;
    }
    const guardAt = this.scratchAt + SCRATCH;
    must(this.#untouched(guardAt, guardAt + GUARD), () => 'written behind the scratch area');
  }

  /** The frame of the batch a descriptor points into; undefined: it is one the datapath made. */
  origin({ at }: Descriptor): Descriptor | undefined {
    return this.received.find((frame) => at >= frame.at - FRONT && at < frame.at + SLOT - FRAME_AT);
  }

  /** Nothing around the frames of the batch was written to, nor in the slots nobody used. */
  checkGuards(): void {
    for (const [i, { at, length }] of this.received.entries()) {
      const slot = i * SLOT;
      must(this.#untouched(slot, at - VNET_LEN - FRONT), () => `written in front of frame ${i}`);
      must(this.#untouched(at + length, slot + SLOT), () => `written behind the ${length} bytes of frame ${i}`);
    }
  }

  /** Whether the descriptor is of a received frame, not longer than that, or of one in the scratch area. */
  #isFrame(descriptor: Descriptor): boolean {
    const { at, length } = descriptor;
    if (length <= 0 || length > MAX_FRAME || at % 2 !== 0) return false;
    if (at - VNET_LEN >= this.scratchAt) return at + length <= this.scratchAt + SCRATCH;
    const origin = this.origin(descriptor);
    return origin !== undefined && at + length <= origin.at + origin.length;
  }

  #untouched(from: number, to: number): boolean {
    return Buffer.compare(this.bytes.subarray(from, to), this.#pattern.subarray(0, to - from)) === 0;
  }

  #clear(): void {
    for (const [i] of this.received.entries()) this.bytes.fill(this.#fill, i * SLOT, (i + 1) * SLOT);
    this.bytes.fill(this.#fill, this.scratchAt);
    this.received.length = 0;
  }
}
