import { VNET_LEN } from '../io/device.js';
import { FRAGMENT_MS, type FragmentKey, isFragmentKey, newFragmentKey } from '../tables/fragment.js';
import { Places } from '../tables/places.js';
import type { Vif } from '../tables/vif.js';

/** Frames that wait at most. */
const WAITING = 256;
/** Longest frame that may wait: one of a network with jumbo frames (9000 bytes), and two VLAN tags. */
const LONGEST = 9022;
const SLOT = VNET_LEN + LONGEST;

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
  readonly #nexthops: Int32Array;
  readonly #vifs: (Vif | null)[];

  constructor({ places = WAITING, share = places >> 2 }: FragmentQueueSize = {}) {
    this.#places = new Places(places, share);
    this.#frames = new Uint8Array(places * SLOT);
    this.#lengths = new Int32Array(places);
    this.#keys = new Int32Array(places * newFragmentKey().length);
    this.#since = new Float64Array(places);
    this.#nexthops = new Int32Array(places);
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
   * Copies the frame of `length` bytes at `at`, with the virtio-net header in front of it.
   * @param nexthop where it was on its way to; -1: it has just come in. @returns false: there is no room for it.
   */
  put(b: Uint8Array, at: number, length: number, key: FragmentKey, vif: Vif, nexthop: number, now: number): boolean {
    if (length > LONGEST || this.#places.isSated(vif.id)) return false;
    const place = this.#places.take(vif.id);
    if (place < 0) return false;
    const to = place * SLOT;
    for (let i = 0; i < VNET_LEN + length; i++) this.#frames[to + i] = b[at - VNET_LEN + i];
    this.#lengths[place] = length;
    this.#keys.set(key, place * key.length);
    this.#since[place] = now;
    this.#nexthops[place] = nexthop;
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

  nexthopOf(place: number): number {
    return this.#nexthops[place];
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
