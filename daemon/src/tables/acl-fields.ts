import { sweep, type RowStore, type Span } from './acl-rows.js';
import { wordMask, type PrefixWords } from './address-words.js';

/** Which rules let through the values of one field: rows of the store by value, found in parts of the value's range. */
export class NumberField {
  readonly #starts: Uint32Array;
  readonly #rows: Int32Array;

  /** As `sweep`. */
  constructor(store: RowStore, bound: Uint8Array, spans: readonly Span[], values: number) {
    const { starts, rows } = sweep(store, bound, spans, values);
    this.#starts = Uint32Array.from(starts);
    this.#rows = Int32Array.from(rows);
  }

  /** Row of a value, 0..2^32-1. */
  row(value: number): number {
    const starts = this.#starts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (starts[middle] <= value) low = middle;
      else high = middle - 1;
    }
    return this.#rows[low];
  }
}

/** A prefix a rule asks for. */
export interface RulePrefix {
  readonly rule: number;
  readonly prefix: PrefixWords;
}

/** The field of IPv4 addresses. */
export function ipv4Field(store: RowStore, bound: Uint8Array, prefixes: readonly RulePrefix[]): NumberField {
  const spans: Span[] = [];
  for (const { rule, prefix } of prefixes) {
    if (prefix.family !== 4) continue;
    const first = prefix.first[0] >>> 0;
    spans.push({ rule, first, last: first + 2 ** (32 - prefix.length) - 1 });
  }
  return new NumberField(store, bound, spans, 2 ** 32);
}

const WORDS = 4;

/** The field of IPv6 addresses: its parts are found by all four words. */
export class Ipv6Field {
  /** Where each part begins, four words each. */
  readonly #starts: Uint32Array;
  readonly #rows: Int32Array;

  constructor(store: RowStore, bound: Uint8Array, prefixes: readonly RulePrefix[]) {
    const wanted = prefixes.filter(({ prefix }) => prefix.family === 6);
    const edges: Edge[] = [{ words: new Uint32Array(WORDS), span: -1, isEnd: false }];
    for (const [span, { prefix }] of wanted.entries()) {
      edges.push({ words: Uint32Array.from(prefix.first), span, isEnd: false });
      edges.push({ words: behind(prefix), span, isEnd: true });
    }
    edges.sort((a, b) => compare(a.words, b.words));

    // The sweep counts in steps from one edge to the next. Behind the last address comes 0 again: that edge is never reached.
    const first = new Float64Array(wanted.length);
    const last = new Float64Array(wanted.length).fill(2 ** 32 - 1);
    const steps: Uint32Array[] = [];
    for (const { words, span, isEnd } of edges) {
      if (steps.length === 0 || compare(steps[steps.length - 1], words) !== 0) steps.push(words);
      if (span < 0) continue;
      if (!isEnd) first[span] = steps.length - 1;
      else if (steps.length > 1) last[span] = steps.length - 2;
    }
    const spans = wanted.map(({ rule }, span) => ({ rule, first: first[span], last: last[span] }));
    const parts = sweep(store, bound, spans, 2 ** 32);
    this.#rows = Int32Array.from(parts.rows);
    this.#starts = new Uint32Array(parts.starts.length * WORDS);
    for (const [part, step] of parts.starts.entries()) this.#starts.set(steps[step], part * WORDS);
  }

  /** Row of an address in words. */
  row(address: Int32Array): number {
    let low = 0;
    let high = this.#rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#beginsBy(middle, address)) low = middle;
      else high = middle - 1;
    }
    return this.#rows[low];
  }

  /** Whether a part begins at the address or before it. */
  #beginsBy(part: number, address: Int32Array): boolean {
    const starts = this.#starts;
    for (let w = 0; w < WORDS; w++) {
      const start = starts[part * WORDS + w];
      const word = address[w] >>> 0;
      if (start !== word) return start < word;
    }
    return true;
  }
}

interface Edge {
  readonly words: Uint32Array;
  readonly span: number;
  readonly isEnd: boolean;
}

/** The address behind the last one of a prefix; behind the last of all comes 0. */
function behind({ first, length }: PrefixWords): Uint32Array {
  const words = Uint32Array.from(first, (word, w) => word | ~wordMask(length, w));
  let w = WORDS - 1;
  while (w > 0 && words[w] === 0xffffffff) words[w--] = 0;
  words[w]++;
  return words;
}

function compare(a: Uint32Array, b: Uint32Array): number {
  for (let w = 0; w < WORDS; w++) if (a[w] !== b[w]) return a[w] - b[w];
  return 0;
}

/** Which rules ask for a name (a network, a group). */
export class NameField {
  /** Row of rules that ask for no name. */
  readonly free: number;
  /** By name: the rules that ask for it, and with `withFree` those that ask for none as well. */
  readonly #rows = new Map<number, number>();
  /** Whether any rule asks for a name. */
  readonly isAsked: boolean;

  constructor(store: RowStore, names: readonly (number | null)[], withFree: boolean) {
    const askers = new Map<number, number[]>();
    for (const [rule, name] of names.entries()) {
      store.change(rule, name === null);
      if (name === null) continue;
      const known = askers.get(name);
      if (known) known.push(rule);
      else askers.set(name, [rule]);
    }
    this.free = store.save();
    this.isAsked = askers.size > 0;
    if (!withFree) for (let rule = 0; rule < names.length; rule++) store.change(rule, false);
    for (const [name, rules] of askers) {
      for (const rule of rules) store.change(rule, true);
      this.#rows.set(name, store.save());
      for (const rule of rules) store.change(rule, false);
    }
  }

  /** Row of a name; -1: no rule asks for it. */
  row(name: number): number {
    return this.#rows.get(name) ?? -1;
  }
}
