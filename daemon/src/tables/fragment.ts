import { Places } from './places.js';
import { finish } from './hash.js';

/**
 * Datagrams on their way in fragments: the first fragment leaves its ports here, the others, which carry none, find them (tf-vrouter
 * dp-core/vr_fragment.c). A datagram goes when all of it was seen, or when its time is over. Sizes are those operators know.
 */
const FRAGMENT_ENTRIES = 8192 + 1024;
/** How long a datagram is waited for. */
export const FRAGMENT_MS = 2000;
/** Entries that expire in one go at most. */
const EXPIRED_AT_ONCE = 256;

const KEY_WORDS = 11;
/** Words of the key of a datagram. Words an IPv4 key does not use are 0. */
export const FRAGMENT_KEY = {
  /** Family (4, 6) << 8 | IP protocol. */
  protocol: 0,
  id: 1,
  /** VRF | interface it comes in by << 16, so that nobody answers for another's. */
  vrf: 2,
  /** Addresses in network order; IPv4 has its own in the first word. */
  source: 3,
  destination: 7,
} as const;
export type FragmentKey = Int32Array;
export const newFragmentKey = (): FragmentKey => new Int32Array(KEY_WORDS);

/** Whether the key at `at` of `keys` is this one. */
export function isFragmentKey(keys: Int32Array, at: number, key: FragmentKey): boolean {
  for (let w = 0; w < KEY_WORDS; w++) if (keys[at + w] !== key[w]) return false;
  return true;
}

export interface FragmentTableSize {
  readonly entries?: number;
  /** Entries an interface may have. */
  readonly share?: number;
}

export class FragmentTable {
  readonly #places: Places;
  readonly #keys: Int32Array;
  readonly #ports: Int32Array;
  /** Bytes seen of the datagram; its length, once the last fragment told it, else -1. */
  readonly #seen: Float64Array;
  readonly #length: Int32Array;
  /** When the first fragment came, ms. */
  readonly #since: Float64Array;
  /** First entry of each bucket, and the entry after each, plus 1; 0: none. */
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  /** Chosen at random, so that nobody outside can fill one bucket. */
  readonly #seed = (Math.random() * 0x7fffffff) | 0;

  constructor({ entries = FRAGMENT_ENTRIES, share = entries >> 2 }: FragmentTableSize = {}) {
    this.#places = new Places(entries, share);
    this.#keys = new Int32Array(entries * KEY_WORDS);
    this.#ports = new Int32Array(entries);
    this.#seen = new Float64Array(entries);
    this.#length = new Int32Array(entries);
    this.#since = new Float64Array(entries);
    this.#heads = new Int32Array(2 ** Math.ceil(Math.log2(entries)));
    this.#next = new Int32Array(entries);
  }

  /** Datagrams under way. */
  get used(): number {
    return this.#places.used;
  }

  /** Datagrams of an interface under way. */
  countOf(vif: number): number {
    return this.#places.countOf(vif);
  }

  /** The entry of a datagram, -1: none whose time is not over. */
  find(key: FragmentKey, now: number): number {
    const entry = this.#lookUp(key);
    return entry >= 0 && now < this.#since[entry] + FRAGMENT_MS ? entry : -1;
  }

  /**
   * Takes in the first fragment of a datagram. Returns its entry, or -1: the interface it came by has its share, or the table is
   * full of those who have less. What was known of a datagram with the same key is forgotten.
   */
  add(key: FragmentKey, ports: number, vif: number, now: number): number {
    const known = this.#lookUp(key);
    if (known >= 0) this.#remove(known);
    if (this.#places.isSated(vif)) return -1;
    let entry = this.#places.take(vif);
    if (entry < 0) {
      const displaced = this.#places.displaced(vif);
      if (displaced < 0) return -1;
      this.#remove(displaced);
      entry = this.#places.take(vif);
    }
    for (let w = 0; w < KEY_WORDS; w++) this.#keys[entry * KEY_WORDS + w] = key[w];
    this.#ports[entry] = ports;
    this.#seen[entry] = 0;
    this.#length[entry] = -1;
    this.#since[entry] = now;
    const bucket = this.#bucket(key, 0);
    this.#next[entry] = this.#heads[bucket];
    this.#heads[bucket] = entry + 1;
    return entry;
  }

  /** Ports of an entry, as they are in the key of a flow. */
  portsOf(entry: number): number {
    return this.#ports[entry];
  }

  /**
   * Counts a fragment that passed; with the last byte of the datagram its entry goes.
   * @param bytes of the datagram in the fragment. @param length of the datagram, when this is its end; else -1.
   */
  pass(entry: number, bytes: number, length: number): void {
    this.#seen[entry] += bytes;
    if (length >= 0) this.#length[entry] = length;
    if (this.#length[entry] >= 0 && this.#seen[entry] >= this.#length[entry]) this.#remove(entry);
  }

  /** Lets go entries whose time is over, a bounded number of them; returns whether there may be more. */
  expire(now: number): boolean {
    for (let n = 0; n < EXPIRED_AT_ONCE; n++) {
      const entry = this.#places.oldest;
      if (entry < 0 || now < this.#since[entry] + FRAGMENT_MS) return false;
      this.#remove(entry);
    }
    return true;
  }

  #lookUp(key: FragmentKey): number {
    for (let next = this.#heads[this.#bucket(key, 0)]; next !== 0; next = this.#next[next - 1]) {
      if (isFragmentKey(this.#keys, (next - 1) * KEY_WORDS, key)) return next - 1;
    }
    return -1;
  }

  #remove(entry: number): void {
    const bucket = this.#bucket(this.#keys, entry * KEY_WORDS);
    let next = this.#heads[bucket];
    if (next === entry + 1) {
      this.#heads[bucket] = this.#next[entry];
    } else {
      while (this.#next[next - 1] !== entry + 1) next = this.#next[next - 1];
      this.#next[next - 1] = this.#next[entry];
    }
    this.#places.give(entry);
  }

  /** Bucket of the key at `at`: multiply and mix, as in MurmurHash3's 32-bit form. */
  #bucket(keys: Int32Array, at: number): number {
    let h = this.#seed;
    for (let w = 0; w < KEY_WORDS; w++) {
      const k = Math.imul(keys[at + w], 0xcc9e2d51);
      h ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
      h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
    }
    return finish(h) & (this.#heads.length - 1);
  }
}
