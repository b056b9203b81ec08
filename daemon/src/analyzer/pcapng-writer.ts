/** Writes pcapng: a section, an interface whenever a new one appears, a packet for each frame, counters at the end. */
import { BlockBuffer, copyBytes } from './block-buffer.js';
import { HEADERS_KEPT } from './comment.js';
import type { CaptureInterface, Frame, Origin } from './frame.js';
import {
  BLOCK,
  BYTE_ORDER_MAGIC,
  HEAD_LEN,
  LINKTYPE_ETHERNET,
  NANOSECONDS,
  OPTION,
  padded,
  TAIL_LEN,
} from './pcapng.js';
import type { Sink, Write } from './sink.js';
import type { Statistics } from './statistics.js';
import { SplitTime } from './time.js';

export interface PcapngOptions {
  /** Bytes of a frame that are kept, at most 262144; 0: all. The original length is kept in any case. */
  readonly snapLength?: number;
  /** Write the packets that carried the frames, as far as they are known, instead of the frames. */
  readonly keepHeaders?: boolean;
  /** Counters of the session; what they grow by until the end is written there. */
  readonly statistics?: Statistics;
}

/** What is said of our program in each section. */
const APPLICATION = 'vrouter analyzer';
/** Bytes of an enhanced packet block in front of its data. */
const PACKET_HEAD = HEAD_LEN + 20;
/** Longest data of a packet: what is left of a buffer of blocks. */
const DATA_MAX = 262_144;

type Option = readonly [code: number, value: Uint8Array];

const text = (value: string): Uint8Array => new TextEncoder().encode(value).subarray(0, 0xffff);

function number64(high: number, low: number): Uint8Array {
  const value = new DataView(new ArrayBuffer(8));
  value.setUint32(0, low, true);
  value.setUint32(4, high, true);
  return new Uint8Array(value.buffer);
}

/** A time as options hold it: the high word first. */
function timeValue({ high, low }: SplitTime): Uint8Array {
  return number64(low, high);
}

const count64 = (count: number): Uint8Array => number64(Math.floor(count / 0x1_0000_0000), count >>> 0);

/** Options in a row, with their end; nothing for none. */
function encodeOptions(options: readonly Option[]): Uint8Array {
  if (options.length === 0) return new Uint8Array(0);
  const length = options.reduce((sum, [, value]) => sum + 4 + padded(value.length), 4);
  const view = new DataView(new ArrayBuffer(length));
  const bytes = new Uint8Array(view.buffer);
  let at = 0;
  for (const [code, value] of options) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    bytes.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  return bytes;
}

/** A block of these words and options. */
function encodeBlock(type: number, words: readonly number[], options: readonly Option[]): Uint8Array {
  const tail = encodeOptions(options);
  const length = HEAD_LEN + 4 * words.length + tail.length + TAIL_LEN;
  const view = new DataView(new ArrayBuffer(length));
  [type, length, ...words].forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  new Uint8Array(view.buffer).set(tail, HEAD_LEN + 4 * words.length);
  view.setUint32(length - TAIL_LEN, length, true);
  return new Uint8Array(view.buffer);
}

/** Options of the packets of an origin, as bytes: made once. */
const packetOptions = new WeakMap<Origin, Uint8Array>();

function packetOptionsOf(origin: Origin): Uint8Array {
  const known = packetOptions.get(origin);
  if (known !== undefined) return known;
  const options: Option[] = [];
  if (origin.direction !== 0) options.push([OPTION.packet.flags, Uint8Array.of(origin.direction, 0, 0, 0)]);
  if (origin.comment !== '') options.push([OPTION.comment, text(origin.comment)]);
  const made = encodeOptions(options);
  packetOptions.set(origin, made);
  return made;
}

/** Counters of an interface of this section. */
interface Written {
  readonly interface: CaptureInterface;
  packets: number;
}

export class PcapngWriter implements Sink {
  readonly #blocks: BlockBuffer;
  readonly #snapLength: number;
  readonly #keepHeaders: boolean;
  readonly #statistics: Statistics | undefined;
  /** Number in this section by the index of an interface; -1: not in it yet. */
  readonly #numbers: number[] = [];
  readonly #written: Written[] = [];
  /** Kernel drops by input, and frames by interface, when the section began. */
  readonly #dropsBefore: readonly number[];
  readonly #framesBefore: readonly number[];
  readonly #time = new SplitTime();
  readonly #startedAt = new SplitTime();

  /** Begins the section at once. */
  constructor(write: Write, options: PcapngOptions = {}) {
    this.#blocks = new BlockBuffer(write);
    this.#snapLength = Math.min(options.snapLength ?? 0, DATA_MAX);
    this.#keepHeaders = options.keepHeaders ?? false;
    this.#statistics = options.statistics;
    this.#dropsBefore = this.#statistics?.inputs.map(({ kernelDrops }) => kernelDrops) ?? [];
    this.#framesBefore = this.#statistics?.interfaces.map(({ packets }) => total(packets)) ?? [];
    splitNow(this.#startedAt);
    const system: readonly Option[] = [
      [OPTION.section.os, text(process.platform)],
      [OPTION.section.application, text(APPLICATION)],
    ];
    // Version 1.0, length of the section not known.
    this.#blocks.append(encodeBlock(BLOCK.section, [BYTE_ORDER_MAGIC, 1, 0xffff_ffff, 0xffff_ffff], system));
  }

  /** Bytes of this file so far, those included that are not written yet. */
  get bytes(): number {
    return this.#blocks.total;
  }

  /** Describes an interface that is new in this section, ahead of its first frame; returns its number. */
  describe(one: CaptureInterface): number {
    const id = this.#written.length;
    while (this.#numbers.length <= one.index) this.#numbers.push(-1);
    this.#numbers[one.index] = id;
    this.#written.push({ interface: one, packets: 0 });
    const code = OPTION.interface;
    this.#blocks.append(
      encodeBlock(
        BLOCK.interface,
        [LINKTYPE_ETHERNET, this.#snapLength],
        [
          [code.name, text(one.name)],
          [code.description, text(one.description + (this.#keepHeaders ? HEADERS_KEPT : ''))],
          [code.timeResolution, Uint8Array.of(NANOSECONDS)],
        ],
      ),
    );
    return id;
  }

  frame(frame: Frame): void {
    const { origin } = frame;
    const number = this.#numbers[origin.interface.index] ?? -1;
    const id = number >= 0 ? number : this.describe(origin.interface);
    this.#written[id].packets++;
    const whole = this.#keepHeaders && frame.outerLength > 0;
    const given = whole ? frame.outerLength : frame.length;
    const length = Math.min(given, this.#snapLength === 0 ? DATA_MAX : this.#snapLength);
    const options = packetOptionsOf(origin);
    const size = PACKET_HEAD + padded(length) + options.length + TAIL_LEN;
    const { bytes, view } = this.#blocks;
    const at = this.#blocks.take(size);
    this.#time.split(frame.seconds, frame.nanoseconds);
    view.setUint32(at, BLOCK.enhancedPacket, true);
    view.setUint32(at + 4, size, true);
    view.setUint32(at + 8, id, true);
    view.setUint32(at + 12, this.#time.high, true);
    view.setUint32(at + 16, this.#time.low, true);
    view.setUint32(at + 20, length, true);
    view.setUint32(at + 24, whole ? frame.outerOriginalLength : frame.originalLength, true);
    const dataEnd = at + PACKET_HEAD + length;
    if (whole) copyBytes(frame.outer, frame.outerAt, bytes, at + PACKET_HEAD, length);
    else copyBytes(frame.bytes, frame.at, bytes, at + PACKET_HEAD, length);
    const optionsAt = at + PACKET_HEAD + padded(length);
    for (let i = dataEnd; i < optionsAt; i++) bytes[i] = 0;
    copyBytes(options, 0, bytes, optionsAt, options.length);
    view.setUint32(at + size - TAIL_LEN, size, true);
  }

  flush(): void {
    this.#blocks.flush();
  }

  statistics(): void {
    // They are written at the end.
  }

  close(): void {
    const charged = new Set<number>();
    for (const [
      id,
      {
        interface: { input, index },
        packets,
      },
    ] of this.#written.entries()) {
      // What an input lost is told once, with the first of its interfaces: readers add them up.
      const dropped = charged.has(input) ? 0 : this.#droppedBy(input);
      charged.add(input);
      this.#blocks.append(this.#interfaceStatistics(id, index, packets, dropped));
    }
    this.#blocks.flush();
  }

  #droppedBy(input: number): number {
    return (this.#statistics?.inputs.at(input)?.kernelDrops ?? 0) - (this.#dropsBefore[input] ?? 0);
  }

  #interfaceStatistics(id: number, index: number, packets: number, dropped: number): Uint8Array {
    const seen = this.#statistics?.interfaces.at(index);
    const received = seen === undefined ? packets : total(seen.packets) - (this.#framesBefore[index] ?? 0);
    splitNow(this.#time);
    const code = OPTION.statistics;
    return encodeBlock(
      BLOCK.statistics,
      [id, this.#time.high, this.#time.low],
      [
        [code.startTime, timeValue(this.#startedAt)],
        [code.endTime, timeValue(this.#time)],
        [code.received, count64(received)],
        [code.osDropped, count64(dropped)],
        [code.delivered, count64(packets)],
      ],
    );
  }
}

const total = (counts: readonly [number, number, number]): number => counts[0] + counts[1] + counts[2];

function splitNow(time: SplitTime): void {
  const ms = Date.now();
  time.split(Math.floor(ms / 1000), (ms % 1000) * 1e6);
}
