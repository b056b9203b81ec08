import { finish } from './hash.js';
/**
 * Rows of bits, one bit a rule: which rules a value of one field lets through. Rows that are equal are kept once, whichever field
 * they belong to. A row is made by changing the one before, so that a sweep over the values costs a copy and a few bits a row.
 */
export class RowStore {
  /** 32-bit words of a row. */
  readonly words: number;
  /** The rows; a row is named by its first word. */
  bits: Int32Array;
  readonly #current: Int32Array;
  /** Of the rules in the current row: each has a number of its own, and they are exclusive-ored (Zobrist hashing). */
  #hash = 0;
  readonly #byHash = new Map<number, number>();
  #used = 0;

  constructor(rules: number) {
    this.words = (rules + 31) >>> 5;
    this.bits = new Int32Array(this.words * 16);
    this.#current = new Int32Array(this.words);
  }

  has(rule: number): boolean {
    return (this.#current[rule >>> 5] & (1 << (rule & 31))) !== 0;
  }

  /** Puts a rule into the current row, or takes it out. */
  change(rule: number, lets: boolean): void {
    if (this.has(rule) === lets) return;
    this.#current[rule >>> 5] ^= 1 << (rule & 31);
    this.#hash ^= mixed(rule + 1);
  }

  /** Keeps the current row; returns its name. */
  save(): number {
    const known = this.#byHash.get(this.#hash);
    if (known !== undefined && this.#isCurrent(known)) return known;
    const at = this.#used;
    this.#used += this.words;
    if (this.#used > this.bits.length) {
      const larger = new Int32Array(this.bits.length * 2);
      larger.set(this.bits);
      this.bits = larger;
    }
    this.bits.set(this.#current, at);
    this.#byHash.set(this.#hash, at);
    return at;
  }

  /** Gives back the room that no row needs. */
  trim(): Int32Array {
    this.bits = this.bits.slice(0, this.#used);
    return this.bits;
  }

  #isCurrent(at: number): boolean {
    for (let w = 0; w < this.words; w++) if (this.bits[at + w] !== this.#current[w]) return false;
    return true;
  }
}

/** Spreads a number over 32 bits. */
const mixed = (n: number): number => finish(Math.imul(n, 0x9e3779b1));

/** What a rule lets through of a field that is a number below 2^32: from `first` to `last`, both included. */
export interface Span {
  readonly rule: number;
  readonly first: number;
  readonly last: number;
}

/** Most rules of a list: what a double's 53 bits have left beside a position of 33 bits and the direction. */
export const RULES_MAX = 1 << 19;
const EDGE = 2 * RULES_MAX;

/** The values of a field, divided wherever a span begins or ends. */
export interface Parts {
  /** Where each part begins, ascending; the first with 0. */
  readonly starts: readonly number[];
  /** Its row. */
  readonly rows: readonly number[];
}

/**
 * Sweeps over the values 0 to `values` - 1 of a field.
 *
 * @param bound by rule: 1 when it lets through no more than its spans, 0 when it lets everything through
 */
export function sweep(store: RowStore, bound: Uint8Array, spans: readonly Span[], values: number): Parts {
  const edges = new Float64Array(spans.length * 2);
  for (let i = 0; i < spans.length; i++) {
    const { rule, first, last } = spans[i];
    edges[2 * i] = first * EDGE + 2 * rule + 1;
    edges[2 * i + 1] = (last + 1) * EDGE + 2 * rule;
  }
  edges.sort();
  for (let rule = 0; rule < bound.length; rule++) store.change(rule, bound[rule] === 0);

  const covers = new Uint32Array(bound.length);
  const starts = [0];
  const rows: number[] = [];
  let start = 0;
  for (const edge of edges) {
    const at = Math.floor(edge / EDGE);
    if (at >= values) break;
    if (at !== start) {
      rows.push(store.save());
      starts.push(at);
      start = at;
    }
    const rest = edge - at * EDGE;
    const rule = rest >>> 1;
    covers[rule] += (rest & 1) === 1 ? 1 : -1;
    store.change(rule, covers[rule] > 0);
  }
  rows.push(store.save());
  return { starts, rows };
}
