import { VNET_LEN } from '../io/device.js';
import { FRAGMENT_MS, type FragmentKey, isFragmentKey, newFragmentKey } from '../tables/fragment.js';
import type { Packet } from '../packet/packet.js';
import { Places } from '../tables/places.js';
import type { Vif } from '../tables/vif.js';

/** Frames that wait at most. */
const WAITING = 256;
/** Longest frame that may wait: one of a network with jumbo frames (9000 bytes), and two VLAN tags. */
const LONGEST = 9022;
const SLOT = VNET_LEN + LONGEST;

/** What is kept of the packet beside its bytes: where it came from, and where it was on its way to. */
const KEPT = { nexthop: 0, vrf: 1, peer: 2, outerSource: 3, made: 4, words: 5 } as const;

export interface FragmentQueueSize {
  readonly places?: number;
  /** Frames of one interface that wait at most. */
  readonly share?: number;
}

/** Fragments that came before the first of their datagram, copied, oldest first. */
export class FragmentQueue {
  readonly #places: Places;
  readonly #frames: Uint8Array;
  readonly #lengths: Int32Array;
  readonly #keys: Int32Array;
  readonly #since: Float64Array;
  readonly #kept: Int32Array;
  readonly #vifs: (Vif | null)[];

  constructor({ places = WAITING, share = places >> 2 }: FragmentQueueSize = {}) {
    this.#places = new Places(places, share);
    this.#frames = new Uint8Array(places * SLOT);
    this.#lengths = new Int32Array(places);
    this.#keys = new Int32Array(places * newFragmentKey().length);
    this.#since = new Float64Array(places);
    this.#kept = new Int32Array(places * KEPT.words);
    this.#vifs = new Array<Vif | null>(places).fill(null);
  }

  /** Frames that wait. */
  get used(): number {
    return this.#places.used;
  }

  /** The frame that waits longest, -1: none. */
  get oldest(): number {
    return this.#places.oldest;
  }

  /** When nothing is free: the frame that is to be dropped so that this interface's may wait; -1: none is, or need be. */
  displaced(vif: Vif): number {
    if (this.#places.used < this.#vifs.length || this.#places.isSated(vif.id)) return -1;
    return this.#places.displaced(vif.id);
  }

  /**
   * Copies the frame of the packet, with the virtio-net header in front of it, and what is known of where it came from.
   * @returns false: there is no room for it.
   */
  put(b: Uint8Array, p: Packet, key: FragmentKey, vif: Vif, now: number): boolean {
    const { at } = p;
    const length = p.end - at;
    if (length > LONGEST || this.#places.isSated(vif.id)) return false;
    const place = this.#places.take(vif.id);
    if (place < 0) return false;
    const to = place * SLOT;
    for (let i = 0; i < VNET_LEN + length; i++) this.#frames[to + i] = b[at - VNET_LEN + i];
    this.#lengths[place] = length;
    this.#keys.set(key, place * key.length);
    this.#since[place] = now;
    this.#keep(place * KEPT.words, p);
    this.#vifs[place] = vif;
    return true;
  }

  /** Whether a frame that waits belongs to this datagram. */
  isOf(place: number, key: FragmentKey): boolean {
    return isFragmentKey(this.#keys, place * key.length, key);
  }

  /** Frame after one that waits, -1: that was the last. */
  after(place: number): number {
    return this.#places.after(place);
  }

  /** Whether the frame has waited as long as it may. */
  isOver(place: number, now: number): boolean {
    return now >= this.#since[place] + FRAGMENT_MS;
  }

  vifOf(place: number): Vif | null {
    return this.#vifs[place];
  }

  /** Writes what was known of the packet into `p`. */
  recall(place: number, p: Packet): void {
    const at = place * KEPT.words;
    p.nexthop = this.#kept[at + KEPT.nexthop];
    p.vrf = this.#kept[at + KEPT.vrf];
    p.peer = this.#kept[at + KEPT.peer];
    p.outerSource = this.#kept[at + KEPT.outerSource];
    p.made = this.#kept[at + KEPT.made];
  }

  #keep(at: number, p: Packet): void {
    this.#kept[at + KEPT.nexthop] = p.nexthop;
    this.#kept[at + KEPT.vrf] = p.vrf;
    this.#kept[at + KEPT.peer] = p.peer;
    this.#kept[at + KEPT.outerSource] = p.outerSource;
    this.#kept[at + KEPT.made] = p.made;
  }

  lengthOf(place: number): number {
    return this.#lengths[place];
  }

  /** Copies a frame to `at`, its virtio-net header in front of it. */
  copy(place: number, b: Uint8Array, at: number): void {
    const from = place * SLOT;
    const length = VNET_LEN + this.#lengths[place];
    for (let i = 0; i < length; i++) b[at - VNET_LEN + i] = this.#frames[from + i];
  }

  give(place: number): void {
    this.#vifs[place] = null;
    this.#places.give(place);
  }
}
