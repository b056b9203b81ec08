/** Writes classic pcap files (draft-ietf-opsawg-pcap): frames and times, and nothing of where they are from. */
import { BlockBuffer, copyBytes } from './block-buffer.js';
import type { Frame } from './frame.js';
import { LINKTYPE_ETHERNET } from './pcapng.js';
import type { Sink, Write } from './sink.js';

export interface PcapOptions {
  /** Of time stamps [nanoseconds]. */
  readonly resolution?: 'us' | 'ns';
  /** Bytes of a frame that are kept; 0: all. */
  readonly snapLength?: number;
  /** Write the packets that carried the frames, as far as they are known, instead of the frames. */
  readonly keepHeaders?: boolean;
}

export const MAGIC_US = 0xa1b2c3d4;
export const MAGIC_NS = 0xa1b23c4d;
export const FILE_HEADER_LEN = 24;
export const RECORD_LEN = 16;
/** Snap length of files that cut nothing, as other programs write it. */
const SNAP_LENGTH = 262_144;

export class PcapWriter implements Sink {
  readonly #blocks: BlockBuffer;
  readonly #divisor: number;
  readonly #snapLength: number;
  readonly #keepHeaders: boolean;

  /** Begins the file at once. */
  constructor(write: Write, options: PcapOptions = {}) {
    this.#blocks = new BlockBuffer(write);
    const isMicroseconds = options.resolution === 'us';
    this.#divisor = isMicroseconds ? 1000 : 1;
    this.#snapLength = options.snapLength ? Math.min(options.snapLength, SNAP_LENGTH) : SNAP_LENGTH;
    this.#keepHeaders = options.keepHeaders ?? false;
    const header = new DataView(new ArrayBuffer(FILE_HEADER_LEN));
    header.setUint32(0, isMicroseconds ? MAGIC_US : MAGIC_NS, true);
    header.setUint16(4, 2, true);
    header.setUint16(6, 4, true);
    header.setUint32(16, this.#snapLength, true);
    header.setUint32(20, LINKTYPE_ETHERNET, true);
    this.#blocks.append(new Uint8Array(header.buffer));
  }

  /** Bytes of this file so far, those included that are not written yet. */
  get bytes(): number {
    return this.#blocks.total;
  }

  frame(frame: Frame): void {
    const whole = this.#keepHeaders && frame.outerLength > 0;
    const length = Math.min(whole ? frame.outerLength : frame.length, this.#snapLength);
    const { bytes, view } = this.#blocks;
    const at = this.#blocks.take(RECORD_LEN + length);
    view.setUint32(at, frame.seconds, true);
    view.setUint32(at + 4, Math.floor(frame.nanoseconds / this.#divisor), true);
    view.setUint32(at + 8, length, true);
    view.setUint32(at + 12, whole ? frame.outerOriginalLength : frame.originalLength, true);
    if (whole) copyBytes(frame.outer, frame.outerAt, bytes, at + RECORD_LEN, length);
    else copyBytes(frame.bytes, frame.at, bytes, at + RECORD_LEN, length);
  }

  flush(): void {
    this.#blocks.flush();
  }

  statistics(): void {
    // The format has no place for them.
  }

  close(): void {
    this.#blocks.flush();
  }
}
