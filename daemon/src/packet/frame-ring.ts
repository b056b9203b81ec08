/**
 * Frames handed from one thread to another through shared memory: one producer, one consumer, no waiting. A full ring refuses.
 *
 *    head: next slot to take       tail: next slot to fill       empty: head == tail
 *    slot: length, interface, command, parameter (int32 each), then the frame
 */
const HEADER_WORDS = 4;
const SLOT_WORDS = 4;
const SLOTS = 256;
/** Longest frame a slot holds: jumbo MTU and Ethernet with two tags. */
export const RING_FRAME = 9216 + 22;
const SLOT_BYTES = SLOT_WORDS * 4 + Math.ceil(RING_FRAME / 16) * 16;

/** Words of the ring's header. */
const HEAD = 0;
const TAIL = 1;
const NOTIFIED = 2;

export interface RingFrame {
  readonly vif: number;
  readonly command: number;
  readonly parameter: number;
  /** A copy, the receiver's own. */
  readonly frame: Uint8Array;
}

export class FrameRing {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  /** @param memory of another FrameRing, to see the same ring from another thread. */
  constructor(memory = new SharedArrayBuffer(HEADER_WORDS * 4 + SLOTS * SLOT_BYTES)) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
  }

  /** Copies the frame at [at, at + length) in. False: the ring is full or the frame too long. */
  put(b: Uint8Array, at: number, length: number, vif: number, command: number, parameter = 0): boolean {
    const tail = Atomics.load(this.#words, TAIL);
    const next = (tail + 1) % SLOTS;
    if (length > RING_FRAME || next === Atomics.load(this.#words, HEAD)) return false;
    const slot = HEADER_WORDS * 4 + tail * SLOT_BYTES;
    const word = slot >> 2;
    this.#words[word] = length;
    this.#words[word + 1] = vif;
    this.#words[word + 2] = command;
    this.#words[word + 3] = parameter;
    this.#bytes.set(b.subarray(at, at + length), slot + SLOT_WORDS * 4);
    Atomics.store(this.#words, TAIL, next);
    return true;
  }

  /** The oldest frame, or null. */
  take(): RingFrame | null {
    const head = Atomics.load(this.#words, HEAD);
    if (head === Atomics.load(this.#words, TAIL)) return null;
    const slot = HEADER_WORDS * 4 + head * SLOT_BYTES;
    const word = slot >> 2;
    const data = slot + SLOT_WORDS * 4;
    const frame = this.#bytes.slice(data, data + this.#words[word]);
    const taken = {
      vif: this.#words[word + 1],
      command: this.#words[word + 2],
      parameter: this.#words[word + 3],
      frame,
    };
    Atomics.store(this.#words, HEAD, (head + 1) % SLOTS);
    return taken;
  }

  /** Producer, after put: whether the consumer must be woken (it has not been since it last began to take). */
  shouldNotify(): boolean {
    return Atomics.exchange(this.#words, NOTIFIED, 1) === 0;
  }

  /** Consumer, before it takes: frames put from now on wake it again. */
  beginTaking(): void {
    Atomics.store(this.#words, NOTIFIED, 0);
  }
}
