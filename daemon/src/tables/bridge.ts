import { get16, get32, put16, put32 } from '../wire/bytes.js';
import { ADDRESS_LEN } from '../wire/ethernet.js';

/** Entries of the hash proper, and entries for what its buckets do not hold. */
const MAIN_ENTRIES = 262_144;
const OVERFLOW_ENTRIES = 53_248;
/** Slots of a table of the usual size. */
export const BRIDGE_SLOTS = MAIN_ENTRIES + OVERFLOW_ENTRIES;
const BUCKET = 4;

/** What is known of one MAC address in one VRF. */
export interface BridgeEntry {
  readonly vrf: number;
  /** 6 bytes. */
  readonly mac: Uint8Array;
  readonly nexthop: number;
  /** MPLS label or VNI; -1: none. */
  readonly label: number;
  /** BRIDGE_FLAG bits. */
  readonly flags: number;
  /** Slot in the table. */
  readonly index: number;
}

/**
 * The bridge table of all VRFs: MAC and VRF to nexthop. An entry keeps its slot for life, and `rt` shows it.
 *
 *     bucket 0        bucket 1                         overflow, from index `entries` on
 *    +--+--+--+--+   +--+--+--+--+                    +--+--+--+--+--
 *    |  |  |  |  |   |  |  |  |  |  ...               |  |  |  |  |
 *    +--+--+--+--+   +--+--+--+--+                    +--+--+--+--+--
 *                    chain[1] ------ when all four are in use ^ \____^ next
 *
 * Chain heads and links are slot numbers; 0 ends a chain, since slot 0 is never an overflow slot. A fresh table is all zeros, so
 * pages nobody used cost no memory.
 */
export class BridgeTable {
  /** Slots of hash and overflow together; every index is below. */
  readonly size: number;
  readonly #entries: number;
  readonly #bucketMask: number;
  readonly #used: Uint8Array;
  /** VRF and the first two bytes of the MAC; its last four. */
  readonly #keyHigh: Int32Array;
  readonly #keyLow: Int32Array;
  readonly #nexthop: Int32Array;
  readonly #label: Int32Array;
  readonly #flags: Uint8Array;
  /** First overflow slot of each bucket. */
  readonly #chain: Int32Array;
  /** The overflow slot after each overflow slot, counted from the first. */
  readonly #next: Int32Array;
  /** No overflow slot below this one is free. */
  #freeFrom: number;

  /** @param entries slots of the hash, a power of two and at least 4; @param overflow slots beyond it. */
  constructor(entries = MAIN_ENTRIES, overflow = OVERFLOW_ENTRIES) {
    const buckets = entries / BUCKET;
    if (buckets < 1 || !Number.isInteger(Math.log2(buckets)))
      throw new RangeError(`bridge table of ${entries} entries: not a power of two`);
    this.size = entries + overflow;
    this.#entries = entries;
    this.#bucketMask = buckets - 1;
    this.#used = new Uint8Array(this.size);
    this.#keyHigh = new Int32Array(this.size);
    this.#keyLow = new Int32Array(this.size);
    this.#nexthop = new Int32Array(this.size);
    this.#label = new Int32Array(this.size);
    this.#flags = new Uint8Array(this.size);
    this.#chain = new Int32Array(buckets);
    this.#next = new Int32Array(overflow);
    this.#freeFrom = entries;
  }

  /** Slot of the MAC address at `at` in this VRF, or -1. */
  find(vrf: number, b: Uint8Array, at: number): number {
    return this.#find((vrf << 16) | get16(b, at), get32(b, at + 2) | 0);
  }

  /** Nexthop id of a slot in use. */
  nexthop(index: number): number {
    return this.#nexthop[index];
  }

  /** MPLS label or VNI of a slot in use; -1: none. */
  label(index: number): number {
    return this.#label[index];
  }

  /**
   * Adds or replaces an entry. With index -1 it stays where it is, or takes the first free slot of its bucket, or the first free
   * overflow slot; otherwise it goes exactly to `index`, as in the table it was copied from, and whatever else was there ends.
   * Returns the slot; -1 when the table is full or the index is none of this key's.
   */
  set(entry: BridgeEntry): number {
    const high = (entry.vrf << 16) | get16(entry.mac, 0);
    const low = get32(entry.mac, 2) | 0;
    const known = this.#find(high, low);
    const bucket = this.#bucket(high, low);
    let { index } = entry;
    if (index < 0) index = known >= 0 ? known : this.#choose(bucket);
    else if (!this.#belongs(index, bucket)) return -1;
    if (index < 0) return -1;
    if (index !== known) {
      if (known >= 0) this.#remove(known);
      if (this.#used[index] !== 0) this.#remove(index);
      this.#insert(index, high, low);
    }
    this.#nexthop[index] = entry.nexthop;
    this.#label[index] = entry.label;
    this.#flags[index] = entry.flags;
    return index;
  }

  /** Removes an entry; false when there is none. */
  delete(vrf: number, mac: Uint8Array): boolean {
    const index = this.find(vrf, mac, 0);
    if (index < 0) return false;
    this.#remove(index);
    return true;
  }

  /** All entries, or those of one VRF, in ascending order of their slots. */
  *entries(vrf?: number): IterableIterator<BridgeEntry> {
    for (let index = 0; index < this.size; index++) {
      if (this.#used[index] === 0) continue;
      if (vrf === undefined || this.#keyHigh[index] >>> 16 === vrf) yield this.#entry(index);
    }
  }

  #entry(index: number): BridgeEntry {
    const mac = new Uint8Array(ADDRESS_LEN);
    put16(mac, 0, this.#keyHigh[index]);
    put32(mac, 2, this.#keyLow[index]);
    return {
      vrf: this.#keyHigh[index] >>> 16,
      mac,
      nexthop: this.#nexthop[index],
      label: this.#label[index],
      flags: this.#flags[index],
      index,
    };
  }

  #find(high: number, low: number): number {
    const bucket = this.#bucket(high, low);
    const first = bucket * BUCKET;
    for (let i = first; i < first + BUCKET; i++) if (this.#holds(i, high, low)) return i;
    for (let i = this.#chain[bucket]; i !== 0; i = this.#next[i - this.#entries]) {
      if (this.#holds(i, high, low)) return i;
    }
    return -1;
  }

  #holds(index: number, high: number, low: number): boolean {
    return this.#keyLow[index] === low && this.#keyHigh[index] === high && this.#used[index] !== 0;
  }

  /** Multiply and mix. It decides which indices users see, so it stays as it is. */
  #bucket(high: number, low: number): number {
    let h = Math.imul(high ^ 0x5bd1e995, 0x85ebca6b);
    h = Math.imul((h ^ (h >>> 13)) + low, 0xc2b2ae35);
    return (h ^ (h >>> 16)) & this.#bucketMask;
  }

  /** A free slot for an entry of this bucket, or -1. */
  #choose(bucket: number): number {
    const first = bucket * BUCKET;
    for (let i = first; i < first + BUCKET; i++) if (this.#used[i] === 0) return i;
    const free = this.#used.indexOf(0, this.#freeFrom);
    this.#freeFrom = free < 0 ? this.size : free;
    return free;
  }

  /** Whether entries of this bucket may lie in that slot. */
  #belongs(index: number, bucket: number): boolean {
    return index >= this.#entries ? index < this.size : Math.floor(index / BUCKET) === bucket;
  }

  #insert(index: number, high: number, low: number): void {
    this.#used[index] = 1;
    this.#keyHigh[index] = high;
    this.#keyLow[index] = low;
    if (index < this.#entries) return;
    const bucket = this.#bucket(high, low);
    this.#next[index - this.#entries] = this.#chain[bucket];
    this.#chain[bucket] = index;
  }

  #remove(index: number): void {
    this.#used[index] = 0;
    if (index < this.#entries) return;
    this.#unlink(index, this.#bucket(this.#keyHigh[index], this.#keyLow[index]));
    this.#freeFrom = Math.min(this.#freeFrom, index);
  }

  #unlink(index: number, bucket: number): void {
    const after = this.#next[index - this.#entries];
    if (this.#chain[bucket] === index) {
      this.#chain[bucket] = after;
      return;
    }
    let before = this.#chain[bucket];
    while (this.#next[before - this.#entries] !== index) before = this.#next[before - this.#entries];
    this.#next[before - this.#entries] = after;
  }
}
