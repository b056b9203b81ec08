import { CaptureFileError, CaptureReader } from '#vrouterd/analyzer/capture-reader.js';
import { formatComment, parseComment } from '#vrouterd/analyzer/comment.js';
import { parseExpression } from '#vrouterd/analyzer/filter-expression.js';
import { FORMATS, type Frame } from '#vrouterd/analyzer/frame.js';
import { FrameFields } from '#vrouterd/analyzer/frame-fields.js';
import { PcapngWriter } from '#vrouterd/analyzer/pcapng-writer.js';
import { Session } from '#vrouterd/analyzer/session.js';
import type { InputStatistics } from '#vrouterd/analyzer/statistics.js';
import { frameText } from '#vrouterd/analyzer/text-view.js';
import { Unwrapper } from '#vrouterd/analyzer/unwrap.js';
import { Choices } from '../engine/choices.js';
import { must, type Target } from '../engine/target.js';
import { CAPTURES } from '../frames/captures.js';

const LINKS = [1, 1, 101, 113, 276] as const;
const MAGICS = [
  [0xd4, 0xc3, 0xb2, 0xa1],
  [0xa1, 0xb2, 0x3c, 0x4d],
  [0x0a, 0x0d, 0x0d, 0x0a],
] as const;
const TLV = [3, 3, 0x61, 0x3a, 0x62, 0xff, 0] as const;
const HEADERS = 42;
const WORDS = [
  'host 10.0.0.1',
  'tcp port 80',
  'not',
  '(',
  ')',
  'and',
  'or',
  'vlan',
  'net 10/8',
  'src',
  'ether',
  '7',
  'portrange 1-2',
];

type Observe = (outcome: string) => void;

/** Everything the analyzer is given by others: packets, datagrams, files, expressions. */
export function analyzerTarget(): Target {
  return {
    name: 'analyzer',
    about: 'what is sniffed and what files hold is a frame or counted, and what is written reads back',
    longest: 4096,
    seeds: () => [
      ...CAPTURES.slice(0, 20).map((frame) => Uint8Array.of(0, 0, ...frame.slice(0, 600))),
      ...CAPTURES.slice(0, 8).map((frame) => Uint8Array.of(1, 0, ...TLV, ...frame.slice(0, 600))),
      ...MAGICS.map((magic) => Uint8Array.of(2, 9, ...magic, ...new Uint8Array(64))),
      written(CAPTURES.slice(0, 4)),
      Uint8Array.of(3, 1, 5, 0, 5, 1),
    ],
    run(input, observe) {
      const choices = new Choices(input);
      const what = choices.below(4);
      const option = choices.byte();
      const bytes = input.slice(2);
      if (what === 0) packets(bytes, LINKS[option % LINKS.length], observe);
      else if (what === 1) payload(bytes, option, observe);
      else if (what === 2) file(bytes, option + 1, observe);
      else expression(choices, observe);
    },
  };
}

/** A file of our own, as an input. */
function written(frames: readonly Uint8Array[]): Uint8Array {
  const parts: number[] = [2, 100];
  const session = new Session();
  session.addSink(
    new PcapngWriter((b, at, length) => {
      for (let i = at; i < at + length; i++) parts.push(b[i]);
    }),
  );
  const decoder = session.addInput('seed');
  for (const frame of frames) decoder.payload('raw', frame, 0, frame.length, frame.length);
  session.close();
  return Uint8Array.from(parts);
}

/** A session whose frames are checked, shown, and written to be read back. */
function checked(observe: Observe): { session: Session; end: (statistics: InputStatistics, given: number) => void } {
  const session = new Session();
  const lengths: number[] = [];
  const parts: Buffer[] = [];
  const writer = new PcapngWriter((b, at, length) => {
    parts.push(Buffer.from(b.subarray(at, at + length)));
  });
  session.addSink(writer);
  session.addSink({
    frame: (frame) => {
      checkFrame(frame);
      lengths.push(frame.length);
      observe(`${frame.origin.format} ${frame.origin.kind} ${frame.origin.direction}`);
    },
    flush: () => undefined,
    statistics: () => undefined,
    close: () => undefined,
  });
  const end = (statistics: InputStatistics, given: number): void => {
    session.close();
    const reader = new CaptureReader(() => {
      must(reader.packet.length === lengths.shift(), () => 'a frame of another length is read back');
    });
    const file = Buffer.concat(parts);
    must(reader.read(file) === file.length && lengths.length === 0, () => 'not all that was written is read back');
    const { incomplete, ...others } = statistics.malformed;
    for (const [reason, count] of Object.entries(statistics.malformed)) if (count > 0) observe(reason);
    const told = statistics.frames + statistics.others + Object.values(others).reduce((sum, one) => sum + one, 0);
    must(incomplete <= statistics.fragments, () => 'more datagrams given up than there were fragments');
    must(told <= given && given <= told + statistics.fragments, () => `${given} packets, ${told} told`);
  };
  return { session, end };
}

function checkFrame(frame: Frame): void {
  const { bytes, at, length, originalLength, origin } = frame;
  must(
    at >= 0 && length >= 14 && at + length <= bytes.length && originalLength >= length,
    () => 'a frame outside its bytes',
  );
  must(!frameText(frame, true).includes('undefined'), () => `no text: ${frameText(frame, true)}`);
  const again = parseComment(origin.comment);
  must(again !== null && formatComment(again) === origin.comment, () => `"${origin.comment}" does not read back`);
}

/** The bytes as a packet, then cut into two fragments' worth of packets of the same session. */
function packets(bytes: Uint8Array, link: number, observe: Observe): void {
  const { session, end } = checked(observe);
  const decoder = session.addInput('fuzz');
  const unwrapper = new Unwrapper(decoder, { format: null, ports: new Map() });
  unwrapper.packet(link, bytes, 0, bytes.length, bytes.length);
  unwrapper.packet(link, bytes, 0, Math.min(bytes.length, HEADERS), bytes.length + 7);
  unwrapper.packet(link, bytes, 0, bytes.length, bytes.length);
  unwrapper.close();
  end(decoder.statistics, 3);
}

function payload(bytes: Uint8Array, option: number, observe: Observe): void {
  const { session, end } = checked(observe);
  const decoder = session.addInput('fuzz');
  decoder.payload(FORMATS[option % FORMATS.length], bytes, 0, bytes.length, bytes.length);
  end(decoder.statistics, 1);
}

/** A file read at once and one that comes in pieces have the same packets, as far as they go. */
function file(bytes: Uint8Array, piece: number, observe: Observe): void {
  const whole = packetsOf(bytes, bytes.length);
  const pieces = packetsOf(bytes, piece);
  observe(`file ${whole.error.replace(/\d+/g, 'N')} ${Math.min(whole.packets.length, 3)}`);
  must(
    JSON.stringify(whole) === JSON.stringify(pieces),
    () => `${JSON.stringify(whole)} but ${JSON.stringify(pieces)}`,
  );
}

function packetsOf(bytes: Uint8Array, piece: number): { packets: readonly string[]; error: string } {
  const found: string[] = [];
  const reader = new CaptureReader(() => {
    const { packet } = reader;
    must(packet.at + packet.length <= packet.bytes.length, () => 'a packet outside its file');
    must(packet.nanoseconds >= 0 && packet.nanoseconds < 1e9, () => `${packet.nanoseconds} ns`);
    found.push(`${packet.length} ${packet.originalLength} ${packet.seconds}.${packet.nanoseconds} ${packet.comment}`);
  });
  try {
    let from = 0;
    for (let end = 0; end < bytes.length;) {
      end = Math.min(end + piece, bytes.length);
      from += reader.read(bytes.subarray(from, end));
    }
  } catch (error) {
    if (!(error instanceof CaptureFileError)) throw error;
    return { packets: found, error: error.message };
  }
  return { packets: found, error: '' };
}

/** Words in a row are an expression or are refused with a message; asked of a frame, it answers. */
function expression(choices: Choices, observe: Observe): void {
  const words: string[] = [];
  while (!choices.done && words.length < 200) words.push(choices.pick(WORDS));
  const fields = new FrameFields();
  const frame = CAPTURES[words.length % CAPTURES.length];
  fields.read(frame, 0, frame.length);
  try {
    observe(`expression ${String(parseExpression(words.join(' '))(fields))}`);
  } catch (error) {
    must(error instanceof Error && error.constructor === Error, () => String(error));
    observe('no expression');
  }
}
