import { FLOW, FLOW_BYTES, type FlowKey, FlowTable, newFlowKey } from '../tables/flow.js';

/** Room for what one packet can need. */
const SIZE = { entries: 64, overflow: 64 } as const;
const KEY_WORDS = 11;
const ENTRY_WORDS = FLOW_BYTES / 4;

/**
 * A flow table over another one, which it never writes: entries are copied, pair by pair, when they are looked for, and what is
 * changed, made or removed is so here only.
 */
export class OverlayFlows extends FlowTable {
  readonly #real: FlowTable;
  readonly #epoch: number;
  /** Index below of each entry that was copied. */
  readonly #copied = new Map<number, number>();
  /** Entries below that were removed here. */
  readonly #removed = new Set<number>();

  /** @param epoch time of the tables (`Epochs.now`) copied entries are as new as: what the worker decided is taken as it is. */
  constructor(real: FlowTable, epoch: number) {
    super(new ArrayBuffer(FlowTable.bytesFor(SIZE)), SIZE);
    this.#real = real;
    this.#epoch = epoch;
  }

  /** Index of an entry in the table below; undefined: it was made here. */
  realIndex(index: number): number | undefined {
    return this.#copied.get(index);
  }

  override find(key: FlowKey): number {
    const own = super.find(key);
    if (own >= 0) return own;
    const real = this.#real.find(key);
    return real < 0 || this.#removed.has(real) ? -1 : this.#copyPair(real);
  }

  override insert(key: FlowKey): number {
    return this.#real.hasRoom(key) ? super.insert(key) : -1;
  }

  override remove(index: number): void {
    const real = this.#copied.get(index);
    if (real !== undefined) this.#removed.add(real);
    this.#copied.delete(index);
    super.remove(index);
  }

  #copyPair(real: number): number {
    const index = this.#copy(real);
    const partner = this.#real.words[this.#real.at(real) + FLOW.reverse];
    const reverse = partner < 0 || partner === real ? index : this.#copy(partner);
    this.words[this.at(index) + FLOW.reverse] = partner < 0 ? -1 : reverse;
    this.words[this.at(reverse) + FLOW.reverse] = partner < 0 ? -1 : index;
    return index;
  }

  #copy(real: number): number {
    const key = newFlowKey();
    this.#real.keyOf(real, key);
    const index = super.insert(key);
    const from = this.#real.at(real);
    const at = this.at(index);
    this.words.set(this.#real.words.subarray(from + KEY_WORDS, from + ENTRY_WORDS), at + KEY_WORDS);
    this.words[at + FLOW.epoch] = this.#epoch;
    this.#copied.set(index, real);
    return index;
  }
}
