import { get16, get32, put16, put32 } from '../wire/bytes.js';

/** Main entries of the table and the overflow that goes with them: a fifth, rounded up to 1024. */
const ENTRIES = 262_144;
const OVERFLOW = 53_248;
const BUCKET = 4;

/** Slots of a table of the default size. */
export const BRIDGE_SLOTS = ENTRIES + OVERFLOW;

export interface BridgeEntry {
  readonly vrf: number;
  /** 6 bytes. */
  readonly mac: Uint8Array;
  /** Where to put it: the slot another replica chose; -1: choose one. */
  readonly index: number;
  readonly nexthop: number;
  readonly label: number;
  readonly flags: number;
}

/**
 * MAC addresses of all VRFs in one hash table: buckets of four slots, and an overflow area whose slots are chained to the bucket
 * they belong to. An entry's slot never changes while it lives, and is what `rt` prints as its index.
 *
 *    bucket:  [ slot 0 | slot 1 | slot 2 | slot 3 ] ──▶ overflow slot ──▶ overflow slot
 */
export class BridgeTable {
  readonly #entries: number;
  readonly #slots: number;
  /** Key of each slot: the first four bytes of the MAC; its last two and the VRF. */
  readonly #macHigh: Uint32Array;
  readonly #macLowVrf: Uint32Array;
  readonly #used: Uint8Array;
  readonly #nexthops: Int32Array;
  readonly #labels: Int32Array;
  readonly #flags: Uint8Array;
  /** Overflow slot behind a bucket, and behind an overflow slot; -1: none. */
  readonly #firstOverflow: Int32Array;
  readonly #nextOverflow: Int32Array;

  /** @param entries a multiple of four. */
  constructor(entries = ENTRIES, overflow = OVERFLOW) {
    this.#entries = entries;
    this.#slots = entries + overflow;
    this.#macHigh = new Uint32Array(this.#slots);
    this.#macLowVrf = new Uint32Array(this.#slots);
    this.#used = new Uint8Array(this.#slots);
    this.#nexthops = new Int32Array(this.#slots);
    this.#labels = new Int32Array(this.#slots);
    this.#flags = new Uint8Array(this.#slots);
    this.#firstOverflow = new Int32Array(entries / BUCKET).fill(-1);
    this.#nextOverflow = new Int32Array(overflow).fill(-1);
  }

  /** Slot of the MAC at `at` in a VRF; -1: it is not there. */
  find(vrf: number, b: Uint8Array, at: number): number {
    const high = get32(b, at);
    const low = lowWord(vrf, b, at);
    const bucket = this.#bucketOf(high, low);
    for (let slot = bucket; slot < bucket + BUCKET; slot++) if (this.#holds(slot, high, low)) return slot;
    for (let slot = this.#firstOverflow[bucket / BUCKET]; slot >= 0; slot = this.#nextOverflow[slot - this.#entries]) {
      if (this.#holds(slot, high, low)) return slot;
    }
    return -1;
  }

  /** Adds or replaces an entry; returns its slot, -1 when there is no room. An entry that is there keeps its slot. */
  set(entry: BridgeEntry): number {
    const known = this.find(entry.vrf, entry.mac, 0);
    const slot = known >= 0 ? known : this.#place(entry);
    if (slot < 0) return -1;
    this.#nexthops[slot] = entry.nexthop;
    this.#labels[slot] = entry.label;
    this.#flags[slot] = entry.flags;
    return slot;
  }

  /** False: it was not there. */
  delete(vrf: number, mac: Uint8Array): boolean {
    const slot = this.find(vrf, mac, 0);
    if (slot < 0) return false;
    this.#used[slot] = 0;
    if (slot >= this.#entries) this.#unlink(slot, this.#bucketOf(get32(mac, 0), lowWord(vrf, mac, 0)));
    return true;
  }

  nexthop(slot: number): number {
    return this.#nexthops[slot];
  }
  label(slot: number): number {
    return this.#labels[slot];
  }
  flags(slot: number): number {
    return this.#flags[slot];
  }

  /** Entries in ascending slot, of one VRF or of all. */
  *entries(vrf?: number): IterableIterator<BridgeEntry> {
    for (let index = 0; index < this.#slots; index++) {
      if (this.#used[index] === 0) continue;
      const low = this.#macLowVrf[index];
      const entryVrf = low & 0xffff;
      if (vrf !== undefined && vrf !== entryVrf) continue;
      const mac = new Uint8Array(6);
      put32(mac, 0, this.#macHigh[index]);
      put16(mac, 4, low >>> 16);
      const [nexthop, label, flags] = [this.#nexthops[index], this.#labels[index], this.#flags[index]];
      yield { vrf: entryVrf, mac, index, nexthop, label, flags };
    }
  }

  #holds(slot: number, high: number, low: number): boolean {
    return this.#macHigh[slot] === high && this.#macLowVrf[slot] === low && this.#used[slot] !== 0;
  }

  #bucketOf(high: number, low: number): number {
    return (hash(high, low) % (this.#entries / BUCKET)) * BUCKET;
  }

  /** Takes the slot the entry asks for, or a free one of its bucket, or an overflow slot. */
  #place(entry: BridgeEntry): number {
    const high = get32(entry.mac, 0);
    const low = lowWord(entry.vrf, entry.mac, 0);
    const bucket = this.#bucketOf(high, low);
    const slot = entry.index >= 0 ? entry.index : this.#freeSlot(bucket);
    if (slot < 0) return -1;
    if (slot >= this.#entries) this.#link(slot, bucket);
    this.#macHigh[slot] = high;
    this.#macLowVrf[slot] = low;
    this.#used[slot] = 1;
    return slot;
  }

  #freeSlot(bucket: number): number {
    for (let slot = bucket; slot < bucket + BUCKET; slot++) if (this.#used[slot] === 0) return slot;
    return this.#used.indexOf(0, this.#entries);
  }

  #link(slot: number, bucket: number): void {
    this.#nextOverflow[slot - this.#entries] = this.#firstOverflow[bucket / BUCKET];
    this.#firstOverflow[bucket / BUCKET] = slot;
  }

  #unlink(slot: number, bucket: number): void {
    const after = this.#nextOverflow[slot - this.#entries];
    if (this.#firstOverflow[bucket / BUCKET] === slot) {
      this.#firstOverflow[bucket / BUCKET] = after;
      return;
    }
    let before = this.#firstOverflow[bucket / BUCKET];
    while (this.#nextOverflow[before - this.#entries] !== slot) before = this.#nextOverflow[before - this.#entries];
    this.#nextOverflow[before - this.#entries] = after;
  }
}

/** Second word of a key: the last two bytes of the MAC above the 16 bits of the VRF. */
function lowWord(vrf: number, b: Uint8Array, at: number): number {
  return ((get16(b, at + 4) << 16) | vrf) >>> 0;
}

/** Mixes both words of a key (multiply and xor-shift, after the 64-bit finalisers of public-domain hashes). */
function hash(high: number, low: number): number {
  let h = Math.imul(high ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(low, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}
