import type { Write } from './sink.js';

/** Bytes gathered before they are written, and those above which a buffer is written at once. */
const ROOM = 1 << 20;
/** From so many bytes on a copy by the engine is faster than one byte after the other, which needs no view of the source. */
const COPY_BY_ENGINE = 160;

/** Copies `n` bytes of `from` at `at` to offset `to` of `into`. */
export function copyBytes(from: Uint8Array, at: number, into: Uint8Array, to: number, n: number): void {
  if (n >= COPY_BY_ENGINE) into.set(at === 0 && n === from.length ? from : from.subarray(at, at + n), to);
  else for (let i = 0; i < n; i++) into[to + i] = from[at + i];
}

/** Gathers what is written in large pieces. Whole blocks only leave it, so that what was written is always readable. */
export class BlockBuffer {
  /** What is gathered: [0, used). */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  used = 0;
  /** Bytes that were ever taken. */
  total = 0;
  readonly #write: Write;

  constructor(write: Write) {
    this.#write = write;
    this.bytes = new Uint8Array(ROOM);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Room for a block of `length` bytes, at most 1 MiB: returns its offset, counts it as used. */
  take(length: number): number {
    if (this.used + length > ROOM) this.flush();
    const at = this.used;
    this.used += length;
    this.total += length;
    return at;
  }

  /** Appends bytes that were made elsewhere. */
  append(bytes: Uint8Array): void {
    copyBytes(bytes, 0, this.bytes, this.take(bytes.length), bytes.length);
  }

  flush(): void {
    if (this.used === 0) return;
    const length = this.used;
    this.used = 0;
    this.#write(this.bytes, 0, length);
  }
}
