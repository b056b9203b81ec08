import { parseAddress } from '../wire/addr.js';
import { get32 } from '../wire/bytes.js';
import type { PeerRecord } from './records.js';
import { finish } from './hash.js';

const WORDS = 4;
const ROOM = 64;

/** The hosts tunnel packets are accepted from, by their address on the underlay. */
export class PeerTable {
  readonly #records = new Map<number, PeerRecord>();
  /** Open addressing: four words of the address each, and id + 1; 0: free. Less than half is in use. */
  #addresses = new Int32Array(ROOM * WORDS);
  #ids = new Int32Array(ROOM);

  set(record: PeerRecord): void {
    this.#records.set(record.id, record);
    this.#build();
  }

  delete(id: number): void {
    if (this.#records.delete(id)) this.#build();
  }

  get(id: number): PeerRecord | undefined {
    return this.#records.get(id);
  }

  /** Whether it is no host of the cluster. */
  isForeign(id: number): boolean {
    return this.#records.get(id)?.isForeign === true;
  }

  /** In the order in which they became known. */
  entries(): IterableIterator<PeerRecord> {
    return this.#records.values();
  }

  /** Id of the host with the IPv4 address at `at`, -1: a stranger. */
  find4(b: Uint8Array, at: number): number {
    return this.#find(get32(b, at) | 0, 0, 0, 0);
  }

  /** Id of the host with the IPv6 address at `at`, -1: a stranger. */
  find6(b: Uint8Array, at: number): number {
    return this.#find(get32(b, at) | 0, get32(b, at + 4) | 0, get32(b, at + 8) | 0, get32(b, at + 12) | 0);
  }

  /** Id of the host with the address whose four words begin at `at`, of IPv4 the first and zeros; -1: a stranger. */
  findWords(words: Int32Array, at: number): number {
    return this.#find(words[at], words[at + 1], words[at + 2], words[at + 3]);
  }

  #find(w0: number, w1: number, w2: number, w3: number): number {
    const addresses = this.#addresses;
    for (let i = this.#home(w0, w1, w2, w3); this.#ids[i] !== 0; i = (i + 1) & (this.#ids.length - 1)) {
      const a = i * WORDS;
      if (addresses[a] === w0 && addresses[a + 1] === w1 && addresses[a + 2] === w2 && addresses[a + 3] === w3)
        return this.#ids[i] - 1;
    }
    return -1;
  }

  #home(w0: number, w1: number, w2: number, w3: number): number {
    return finish(w0 ^ w1 ^ w2 ^ w3) & (this.#ids.length - 1);
  }

  /** Changes are rare: the table is built anew with each. Of two hosts with one address the first counts. */
  #build(): void {
    let room = ROOM;
    while (room < 2 * this.#records.size + 1) room *= 2;
    this.#addresses = new Int32Array(room * WORDS);
    this.#ids = new Int32Array(room);
    for (const { id, address } of this.#records.values()) this.#place(id, parseAddress(address));
  }

  #place(id: number, bytes: Uint8Array): void {
    const words = [0, 0, 0, 0].map((_, w) => (4 * w < bytes.length ? get32(bytes, 4 * w) | 0 : 0));
    const [w0, w1, w2, w3] = words;
    if (this.#find(w0, w1, w2, w3) >= 0) return;
    let i = this.#home(w0, w1, w2, w3);
    while (this.#ids[i] !== 0) i = (i + 1) & (this.#ids.length - 1);
    this.#ids[i] = id + 1;
    this.#addresses.set(words, i * WORDS);
  }
}
