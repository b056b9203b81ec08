/** Frames as lines of text or JSON, for people and for other programs. */
import { packetText } from '../trace/packet-text.js';
import { formatMac } from '../wire/addr.js';
import { actionsOf } from './comment.js';
import { DIRECTION_NAMES, type Frame } from './frame.js';
import { problemLines } from './problems.js';
import type { Sink } from './sink.js';
import type { Statistics } from './statistics.js';
import { isoTime, timeOfDay } from './time.js';

/** From the guest, and to it. */
const ARROWS = ['--', '->', '<-'] as const;
/** Text that waits before it is handed over. */
const ROOM = 64 * 1024;

/** Control characters (C0, DEL, C1) as JSON has them, `\u001b`: names come from the network, and terminals obey them. */
const visible = (text: string): string =>
  text.replace(/\p{Cc}/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The last part of a full name. */
const shortName = (network: string): string => network.slice(network.lastIndexOf(':') + 1);

/** `14:03:07.123456789 -> traffic-net 192.0.2.1: ICMP 4.4.4.3 > 4.4.4.4 echo request, length 98`. */
export function frameText(frame: Frame, isLinkLevel: boolean): string {
  const { bytes, at, length, originalLength, origin } = frame;
  const { direction, interface: from, host } = origin;
  const shown = bytes.subarray(at, at + length);
  const network = from.network === '' ? origin.format : shortName(from.network);
  const where = [network, host].filter((part) => part !== '').join(' ');
  const macs = isLinkLevel ? `${formatMac(shown, 6)} > ${formatMac(shown, 0)}, ` : '';
  const cut = length < originalLength ? ` (${length} captured)` : '';
  const time = timeOfDay(frame.seconds, frame.nanoseconds);
  return visible(`${time} ${ARROWS[direction]} ${where}: ${macs}${packetText(shown)}, length ${originalLength}${cut}`);
}

/** What there is to know about a frame, without its bytes. */
function frameRecord(frame: Frame): object {
  const { origin, bytes, at, length } = frame;
  const shown = bytes.subarray(at, at + length);
  return {
    time: isoTime(frame.seconds, frame.nanoseconds),
    direction: DIRECTION_NAMES[origin.direction],
    kind: origin.kind,
    format: origin.format,
    interface: origin.interface.name,
    host: origin.host,
    network: origin.interface.network,
    sourceNetwork: origin.sourceNetwork,
    destinationNetwork: origin.destinationNetwork,
    flags: origin.flags < 0 ? null : origin.flags,
    actions: actionsOf(origin.flags),
    identifier: origin.identifier,
    port: origin.port,
    sourceMac: formatMac(shown, 6),
    destinationMac: formatMac(shown, 0),
    text: packetText(shown),
    length: frame.originalLength,
    captured: length,
  };
}

/** A line for each frame. */
export class TextSink implements Sink {
  readonly #print: (text: string) => void;
  readonly #line: (frame: Frame) => string;
  #waiting = '';

  /** @param print takes whole lines */
  constructor(print: (text: string) => void, form: { json: boolean; linkLevel: boolean }) {
    this.#print = print;
    this.#line = form.json
      ? (frame) => visible(JSON.stringify(frameRecord(frame)))
      : (frame) => frameText(frame, form.linkLevel);
  }

  frame(frame: Frame): void {
    this.#waiting += `${this.#line(frame)}\n`;
    if (this.#waiting.length > ROOM) this.flush();
  }

  flush(): void {
    if (this.#waiting === '') return;
    const text = this.#waiting;
    this.#waiting = '';
    this.#print(text);
  }

  statistics(): void {
    // Counters are shown by others.
  }

  close(): void {
    this.flush();
  }
}

/** Counters as a table: inputs, then interfaces by direction. */
export function statisticsText(now: Statistics): string {
  const lines = now.inputs.map(
    (input) =>
      `${input.name}: received ${input.received} (${input.receivedBytes} bytes), frames ${input.frames}, ` +
      `others ${input.others}, dropped by kernel ${input.kernelDrops}`,
  );
  for (const { interface: from, packets, bytes } of now.interfaces) {
    const counts = packets.flatMap((count, direction) =>
      count === 0 ? [] : [`${DIRECTION_NAMES[direction]} ${count} (${bytes[direction]} bytes)`],
    );
    lines.push(`${from.name} (${from.description}): ${counts.join(', ')}`);
  }
  lines.push(`frames delivered ${now.delivered}, filtered ${now.filtered}`, ...problemLines(now));
  return `${lines.map(visible).join('\n')}\n`;
}
