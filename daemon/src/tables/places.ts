import { MAX_VIFS } from './counters.js';

/** Of how many places, the oldest, is asked whether one is to go for somebody who has fewer. */
const LOOKS = 16;

/**
 * Places of a small table, each taken for an interface, in the order they were taken. An interface has no more than its share; and
 * where several have taken everything, one that has fewer finds room at their cost. So whoever fills the table harms himself.
 */
export class Places {
  /** The place taken longest ago, and how many are taken; -1 where there is none. */
  oldest = -1;
  used = 0;
  readonly #share: number;
  readonly #owner: Uint16Array;
  /** Taken places in order; free ones, from the last given back, by `#newer`. */
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  readonly #owned = new Uint16Array(MAX_VIFS);
  #newest = -1;
  #free = 0;

  /** @param share places an interface may have, below 65536. */
  constructor(size: number, share: number) {
    this.#share = share;
    this.#owner = new Uint16Array(size);
    this.#older = new Int32Array(size);
    this.#newer = Int32Array.from({ length: size }, (_, place) => (place + 1 < size ? place + 1 : -1));
  }

  /** The place taken next after a taken one, -1: that was the last. */
  after(place: number): number {
    return this.#newer[place];
  }

  /** Places an interface has. */
  countOf(owner: number): number {
    return this.#owned[owner];
  }

  /** Whether an interface has all it may have. */
  isSated(owner: number): boolean {
    return this.#owned[owner] >= this.#share;
  }

  /** Takes a place, the newest now; -1: none is free. Whether the owner may have one more is the caller's to ask. */
  take(owner: number): number {
    const place = this.#free;
    if (place < 0) return -1;
    this.#free = this.#newer[place];
    this.#owner[place] = owner;
    this.#owned[owner]++;
    this.used++;
    this.#older[place] = this.#newest;
    this.#newer[place] = -1;
    if (this.#newest < 0) this.oldest = place;
    else this.#newer[this.#newest] = place;
    this.#newest = place;
    return place;
  }

  /** When nothing is free: the place to be given back for this owner, one of the oldest, of somebody who has more; -1: none. */
  displaced(owner: number): number {
    let place = this.oldest;
    for (let looks = LOOKS; looks > 0 && place >= 0; looks--) {
      if (this.#owned[this.#owner[place]] > this.#owned[owner] + 1) return place;
      place = this.#newer[place];
    }
    return -1;
  }

  /** Gives a taken place back. */
  give(place: number): void {
    const older = this.#older[place];
    const newer = this.#newer[place];
    if (older < 0) this.oldest = newer;
    else this.#newer[older] = newer;
    if (newer < 0) this.#newest = older;
    else this.#older[newer] = older;
    this.#owned[this.#owner[place]]--;
    this.used--;
    this.#newer[place] = this.#free;
    this.#free = place;
  }
}
