/** Packets of capture files: pcap and pcapng, either byte order, any resolution of time. Knows no files: bytes in, packets out. */
import { FILE_HEADER_LEN, MAGIC_NS, MAGIC_US, RECORD_LEN } from './pcap-writer.js';
import { BLOCK, BYTE_ORDER_MAGIC, HEAD_LEN, OPTION, padded, TAIL_LEN } from './pcapng.js';
import { BILLION } from './time.js';

/** An interface as a file describes it. */
export interface ReadInterface {
  readonly linkType: number;
  readonly name: string;
  readonly description: string;
  /** Units a second is divided into. */
  readonly unitsPerSecond: bigint;
  /** Seconds to be added. */
  readonly offset: number;
}

/** A packet of a file, in `bytes`. One object serves all. */
class ReadPacket {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  length = 0;
  originalLength = 0;
  seconds = 0;
  nanoseconds = 0;
  interface: ReadInterface = PLAIN;
  /** '' without. */
  comment = '';
}

const PLAIN: ReadInterface = { linkType: 1, name: '', description: '', unitsPerSecond: BigInt(BILLION), offset: 0 };

/** The file is none that can be read, or is damaged; the message says where. */
export class CaptureFileError extends Error {}

/** Longest packet or block: what other programs read at most, and some. */
export const BLOCK_MAX = 16 << 20;
const SECTION_LEN = 28;
const INTERFACE_LEN = 20;
const PACKET_LEN = 32;
const SIMPLE_LEN = 16;
const DEFAULT_RESOLUTION = 6;
/** Exponents of resolutions, beyond which nobody measures. */
const EXPONENT_MAX = 63;
const TWO_32 = 0x1_0000_0000n;

type Mode = 'unknown' | 'pcap' | 'pcapng';

export class CaptureReader {
  readonly packet = new ReadPacket();
  readonly #onPacket: () => void;
  #mode: Mode = 'unknown';
  #isLittle = true;
  #interfaces: ReadInterface[] = [];
  /** Nanoseconds of a unit of classic files. */
  #unit = 1;
  #b: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** @param onPacket is called for each packet, which is in `packet` */
  constructor(onPacket: () => void) {
    this.#onPacket = onPacket;
  }

  /** Reads the whole packets and blocks at the start of `b`; returns how many bytes they have. Throws CaptureFileError. */
  read(b: Uint8Array): number {
    this.#b = this.packet.bytes = b;
    this.#view = new DataView(b.buffer, b.byteOffset, b.byteLength);
    let at = 0;
    for (;;) {
      const length =
        this.#mode === 'unknown' ? this.#begin(at) : this.#mode === 'pcap' ? this.#record(at) : this.#block(at);
      if (length === 0) return at;
      at += length;
    }
  }

  /** The head of a file: tells what it is. Returns its length, 0: there is not enough of it. */
  #begin(at: number): number {
    if (at + 4 > this.#b.length) return 0;
    if (this.#view.getUint32(at) === BLOCK.section) {
      this.#mode = 'pcapng';
      return this.#block(at);
    }
    this.#isLittle = [MAGIC_US, MAGIC_NS].includes(this.#view.getUint32(at, true));
    const magic = this.#word(at);
    if (magic !== MAGIC_US && magic !== MAGIC_NS) throw new CaptureFileError('this is no pcap or pcapng file');
    if (at + FILE_HEADER_LEN > this.#b.length) return 0;
    this.#unit = magic === MAGIC_US ? 1000 : 1;
    this.#interfaces = [{ ...PLAIN, linkType: this.#word(at + 20) & 0xffff }];
    this.#mode = 'pcap';
    return FILE_HEADER_LEN;
  }

  /** A packet of a classic file. */
  #record(at: number): number {
    if (at + RECORD_LEN > this.#b.length) return 0;
    const length = this.#word(at + 8);
    if (length > BLOCK_MAX) throw new CaptureFileError(`a packet of ${length} bytes`);
    if (at + RECORD_LEN + length > this.#b.length) return 0;
    const { packet } = this;
    packet.seconds = this.#word(at);
    packet.nanoseconds = Math.min(this.#word(at + 4) * this.#unit, BILLION - 1);
    this.#deliver(0, at + RECORD_LEN, length, this.#word(at + 12), '');
    return RECORD_LEN + length;
  }

  /** A block of pcapng. */
  #block(at: number): number {
    if (at + HEAD_LEN + TAIL_LEN > this.#b.length) return 0;
    const isSection = this.#view.getUint32(at) === BLOCK.section;
    if (isSection) this.#readByteOrder(at);
    const type = this.#word(at);
    const length = this.#word(at + 4);
    if (length < HEAD_LEN + TAIL_LEN || length % 4 !== 0 || length > BLOCK_MAX) {
      throw new CaptureFileError(`a block of ${length} bytes`);
    }
    if (at + length > this.#b.length) return 0;
    if (this.#word(at + length - TAIL_LEN) !== length) throw new CaptureFileError('the two lengths of a block differ');
    this.#readBody(type, at, at + length - TAIL_LEN);
    return length;
  }

  #readBody(type: number, at: number, end: number): void {
    switch (type) {
      case BLOCK.section:
        if (end - at < SECTION_LEN - TAIL_LEN) throw new CaptureFileError('a section without its head');
        if (this.#half(at + 12) !== 1) throw new CaptureFileError('a section of an unknown version');
        this.#interfaces = [];
        return;
      case BLOCK.interface:
        this.#interface(at, end);
        return;
      case BLOCK.enhancedPacket:
        this.#enhanced(at, end, this.#word(at + 8));
        return;
      case BLOCK.packet:
        // Half of the word counts drops.
        this.#enhanced(at, end, this.#half(at + 8));
        return;
      case BLOCK.simplePacket: {
        const originalLength = this.#word(at + 8);
        this.packet.seconds = this.packet.nanoseconds = 0;
        if (end - at < SIMPLE_LEN - TAIL_LEN) throw new CaptureFileError('a packet without its head');
        this.#deliver(0, at + HEAD_LEN + 4, Math.min(originalLength, end - at - HEAD_LEN - 4), originalLength, '');
        return;
      }
      default:
    }
  }

  #readByteOrder(at: number): void {
    this.#isLittle = this.#view.getUint32(at + HEAD_LEN, true) === BYTE_ORDER_MAGIC;
    if (this.#word(at + HEAD_LEN) !== BYTE_ORDER_MAGIC) throw new CaptureFileError('a section without byte order');
  }

  #interface(at: number, end: number): void {
    if (end - at < INTERFACE_LEN - TAIL_LEN) throw new CaptureFileError('an interface without its head');
    let [name, description, resolution, offset] = ['', '', DEFAULT_RESOLUTION, 0];
    this.#options(at + INTERFACE_LEN - TAIL_LEN, end, (code, from, length) => {
      if (code === OPTION.interface.name) name = this.#text(from, length);
      else if (code === OPTION.interface.description) description = this.#text(from, length);
      else if (code === OPTION.interface.timeResolution && length === 1) resolution = this.#b[from];
      else if (code === OPTION.interface.timeOffset && length === 8) {
        offset = Number(this.#view.getBigInt64(from, this.#isLittle));
      }
    });
    const exponent = BigInt(Math.min(resolution & 0x7f, EXPONENT_MAX));
    const unitsPerSecond = (resolution & 0x80) === 0 ? 10n ** exponent : 2n ** exponent;
    this.#interfaces.push({ linkType: this.#half(at + HEAD_LEN), name, description, unitsPerSecond, offset });
  }

  /** A packet of the usual or of the obsolete form. */
  #enhanced(at: number, end: number, id: number): void {
    const dataAt = at + PACKET_LEN - TAIL_LEN;
    if (dataAt > end) throw new CaptureFileError('a packet without its head');
    const length = this.#word(at + 20);
    if (length > end - dataAt) throw new CaptureFileError('a packet longer than its block');
    if (id >= this.#interfaces.length) throw new CaptureFileError(`a packet of the unknown interface ${id}`);
    this.#readTime(this.#interfaces[id], this.#word(at + 12), this.#word(at + 16));
    let comment = '';
    this.#options(dataAt + padded(length), end, (code, from, optionLength) => {
      if (code === OPTION.comment && comment === '') comment = this.#text(from, optionLength);
    });
    this.#deliver(id, dataAt, length, this.#word(at + 24), comment);
  }

  #readTime({ unitsPerSecond, offset }: ReadInterface, high: number, low: number): void {
    const units = BigInt(high) * TWO_32 + BigInt(low);
    const seconds = Number(units / unitsPerSecond) + offset;
    // What no calendar has is no time.
    const isTime = seconds >= 0 && seconds <= 0xffff_ffff;
    this.packet.seconds = isTime ? seconds : 0;
    this.packet.nanoseconds = isTime ? Number(((units % unitsPerSecond) * BigInt(BILLION)) / unitsPerSecond) : 0;
  }

  #deliver(id: number, at: number, length: number, originalLength: number, comment: string): void {
    if (id >= this.#interfaces.length) throw new CaptureFileError('a packet before its interface');
    const { packet } = this;
    packet.at = at;
    packet.length = length;
    packet.originalLength = Math.max(length, originalLength);
    packet.interface = this.#interfaces[id];
    packet.comment = comment;
    this.#onPacket();
  }

  /** Calls back for each option in [at, end). */
  #options(at: number, end: number, take: (code: number, from: number, length: number) => void): void {
    let p = at;
    while (p + 4 <= end) {
      const code = this.#half(p);
      const length = this.#half(p + 2);
      if (code === OPTION.end) return;
      if (p + 4 + length > end) throw new CaptureFileError('an option longer than its block');
      take(code, p + 4, length);
      p += 4 + padded(length);
    }
  }

  #word(at: number): number {
    return this.#view.getUint32(at, this.#isLittle);
  }

  #half(at: number): number {
    return this.#view.getUint16(at, this.#isLittle);
  }

  #text(at: number, length: number): string {
    return new TextDecoder().decode(this.#b.subarray(at, at + length));
  }
}
