/**
 * Events of a fixed size handed from one thread to another through shared memory: one producer, one consumer, no waiting. A full
 * ring refuses.
 *
 *    head: next slot to take       tail: next slot to fill       empty: head == tail
 */
const HEADER_WORDS = 4;
const HEAD = 0;
const TAIL = 1;

export class EventRing {
  /** The ring as words and as doubles; a slot's first word is even. */
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly #slots: number;
  readonly #slotWords: number;

  /**
   * @param memory `bytesFor` bytes at `at`, a multiple of 8; zeros are an empty ring.
   * @param slots one more than the events it holds. @param slotWords 32-bit words of an event: even.
   */
  constructor(memory: SharedArrayBuffer, at: number, slots: number, slotWords: number) {
    const words = HEADER_WORDS + slots * slotWords;
    this.words = new Int32Array(memory, at, words);
    this.doubles = new Float64Array(memory, at, words / 2);
    this.#slots = slots;
    this.#slotWords = slotWords;
  }

  static bytesFor(slots: number, slotWords: number): number {
    return (HEADER_WORDS + slots * slotWords) * 4;
  }

  /** Producer: first word of the slot to fill; -1: the ring is full. Nothing is there for the consumer before `publish`. */
  claim(): number {
    const tail = Atomics.load(this.words, TAIL);
    if ((tail + 1) % this.#slots === Atomics.load(this.words, HEAD)) return -1;
    return HEADER_WORDS + tail * this.#slotWords;
  }

  /** Producer: hands over the slot that was claimed. */
  publish(): void {
    Atomics.store(this.words, TAIL, (Atomics.load(this.words, TAIL) + 1) % this.#slots);
  }

  /** Consumer: first word of the oldest event; -1: there is none. It stays as it is until `release`. */
  peek(): number {
    const head = Atomics.load(this.words, HEAD);
    return head === Atomics.load(this.words, TAIL) ? -1 : HEADER_WORDS + head * this.#slotWords;
  }

  /** Consumer: gives back the slot of the oldest event. */
  release(): void {
    Atomics.store(this.words, HEAD, (Atomics.load(this.words, HEAD) + 1) % this.#slots);
  }
}
