import type { MirrorRecord } from './records.js';
import { TokenBucket } from './token-bucket.js';

/** Mirrors have these numbers; 255 is none (tf-vrouter include/vr_mirror.h). */
export const MAX_MIRRORS = 255;

/** A mirror as the datapath sees it: the agent's record, and where its limits stand. */
export class Mirror {
  record: MirrorRecord;
  /** Packets until the next one is copied. */
  untilSample = 0;
  /** How many copies may still be made. */
  readonly copies = new TokenBucket();

  constructor(record: MirrorRecord) {
    this.record = record;
  }
}

/** Mirrors by index. What changes keeps its place among the samples and its limit. */
export class MirrorTable {
  readonly #mirrors: (Mirror | undefined)[] = [];

  set(record: MirrorRecord): void {
    const known = this.#mirrors[record.id];
    if (known) known.record = record;
    else this.#mirrors[record.id] = new Mirror(record);
  }

  delete(id: number): void {
    this.#mirrors[id] = undefined;
  }

  /** Every index is below. */
  get size(): number {
    return this.#mirrors.length;
  }

  get(id: number): Mirror | undefined {
    return this.#mirrors[id];
  }

  /** In ascending index. */
  *entries(): IterableIterator<Mirror> {
    for (const mirror of this.#mirrors) if (mirror) yield mirror;
  }
}
