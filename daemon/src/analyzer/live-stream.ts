/** An endless capture file for one reader, who may be slower than the frames come. */
import type { Frame } from './frame.js';
import { PcapngWriter, type PcapngOptions } from './pcapng-writer.js';
import type { Sink } from './sink.js';
import type { Statistics } from './statistics.js';

/** What becomes of the bytes: the answer to a request, in most cases. */
export interface Reader {
  /** Bytes that wait for the reader. */
  readonly writableLength: number;
  /** Takes the bytes over. */
  write(bytes: Uint8Array): unknown;
  /** There are no more. */
  end(): unknown;
}

export interface StreamCounters {
  /** Frames the reader gets, and those it was too slow for. */
  packets: number;
  lost: number;
}

interface StreamOptions extends Omit<PcapngOptions, 'statistics'> {
  /** Whether a frame is wanted [all]. */
  readonly accepts?: (frame: Frame) => boolean;
}

/** Bytes that may wait for the reader; besides them there is at most the writer's own buffer. */
const WAITING_MAX = 8 * 1024 * 1024;

/**
 * Begins with a section and all interfaces that are known. Frames are left out whole while too much waits for the reader: what it
 * gets is always a capture file.
 */
export class LiveStream implements Sink {
  readonly counters: StreamCounters = { packets: 0, lost: 0 };
  readonly #reader: Reader;
  readonly #writer: PcapngWriter;
  readonly #accepts: StreamOptions['accepts'];
  #isClosed = false;

  constructor(reader: Reader, statistics: Statistics, options: StreamOptions = {}) {
    this.#reader = reader;
    this.#accepts = options.accepts;
    this.#writer = new PcapngWriter(
      (bytes, at, length) => {
        reader.write(bytes.slice(at, at + length));
      },
      { ...options, statistics },
    );
    for (const known of statistics.interfaces) this.#writer.describe(known.interface);
    this.#writer.flush();
  }

  frame(frame: Frame): void {
    if (this.#isClosed || this.#accepts?.(frame) === false) return;
    if (this.#reader.writableLength > WAITING_MAX) {
      this.counters.lost++;
      return;
    }
    this.counters.packets++;
    this.#writer.frame(frame);
  }

  flush(): void {
    if (!this.#isClosed) this.#writer.flush();
  }

  statistics(): void {
    // They are written at the end.
  }

  /** Ends the file and tells the reader so. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#writer.close();
    this.#reader.end();
  }

  /** The reader is gone. */
  abandon(): void {
    this.#isClosed = true;
  }
}
