import type { Choices } from '../engine/choices.js';
import { CAPTURES } from './captures.js';
import { IP6S, IPS, MACS } from './addresses.js';

/*
 * Frames as guests could send them: captured ones, changed. Written without the product's own code wherever that reads headers,
 * so that the two do not share a mistake.
 */

const TYPE_AT = 12;
const IPV4 = 0x0800;
const ARP = 0x0806;
const IPV6 = 0x86dd;
/** Longest frame the devices deliver, bytes. */
const LONGEST = 65_536 + 22;

/** EtherTypes worth trying: known ones, tags, a length, something else. */
const ETHER_TYPES = [IPV4, ARP, IPV6, 0x8100, 0x88a8, 0x0026, 0x88cc] as const;
const EXTENSIONS = [0, 43, 44, 60, 50, 51, 59, 135] as const;
const LENGTHS = [0, 1, 12, 13, 14, 15, 33, 34, 41, 42, 54, 60, 74, 78, 86, 1514, 9238, 9239, 65_549, LONGEST] as const;

/** Where the headers of a frame lie; 0: there is no such header. */
export interface Layout {
  /** Offset of the EtherType behind the tags. */
  readonly typeAt: number;
  readonly etherType: number;
  readonly l3At: number;
  readonly protocol: number;
  readonly l4At: number;
}

export const get16 = (b: Uint8Array, at: number): number => ((b[at] ?? 0) << 8) | (b[at + 1] ?? 0);

export function put16(b: Uint8Array, at: number, value: number): void {
  if (at + 2 > b.length) return;
  b[at] = value >>> 8;
  b[at + 1] = value;
}

export function layoutOf(b: Uint8Array): Layout {
  let typeAt = TYPE_AT;
  while (typeAt < TYPE_AT + 8 && (get16(b, typeAt) === 0x8100 || get16(b, typeAt) === 0x88a8)) typeAt += 4;
  const etherType = get16(b, typeAt);
  const l3At = typeAt + 2;
  let protocol = -1;
  let l4At = 0;
  if (etherType === IPV4) {
    protocol = b[l3At + 9] ?? -1;
    l4At = (get16(b, l3At + 6) & 0x1fff) === 0 ? l3At + ((b[l3At] ?? 0) & 15) * 4 : 0;
  } else if (etherType === IPV6) {
    protocol = b[l3At + 6] ?? -1;
    l4At = l3At + 40;
  }
  return { typeAt, etherType, l3At, protocol, l4At: l4At < b.length ? l4At : 0 };
}

/** One of few kinds of frame that are treated differently. */
export function kindOf(frame: Uint8Array): string {
  const { etherType, protocol, typeAt, l4At } = layoutOf(frame);
  const type = [IPV4, ARP, IPV6, 0x8100, 0x88a8].includes(etherType) ? etherType.toString(16) : 'other';
  const upper = [1, 6, 17, 58].includes(protocol) ? protocol : -1;
  const icmpType = protocol === 58 && l4At > 0 ? Math.min(Math.max(frame[l4At], 132), 137) : 0;
  return `${type} ${typeAt > TYPE_AT ? 'tagged' : ''} ${upper} ${icmpType}`;
}

/** A frame made by the choices: mostly one that gets somewhere, sometimes nonsense. */
export function chooseFrame(choices: Choices): Uint8Array {
  let frame: Uint8Array = choices.chance(8) ? choices.bytes(choices.below(80)) : choices.pick(CAPTURES).slice();
  const steps = choices.below(6);
  for (let i = 0; i < steps; i++) frame = choices.pick(CHANGES)(frame, choices);
  if (!choices.chance(64)) repair(frame);
  return frame.length > LONGEST ? frame.slice(0, LONGEST) : frame;
}

type Change = (frame: Uint8Array, choices: Choices) => Uint8Array;

const CHANGES: readonly Change[] = [
  (frame, choices) => written(frame, 0, choices.pick(MACS)),
  (frame, choices) => written(frame, 6, choices.pick(MACS)),
  (frame, choices) => addressed(frame, choices, true),
  (frame, choices) => addressed(frame, choices, false),
  (frame, choices) => {
    const at = choices.below(128);
    return written(frame, at, choices.bytes(1));
  },
  (frame, choices) => {
    const { l3At } = layoutOf(frame);
    return written(frame, l3At + choices.below(64), choices.bytes(1 + choices.below(4)));
  },
  (frame, choices) => {
    const { l4At } = layoutOf(frame);
    return written(frame, l4At + choices.below(64), choices.bytes(1 + choices.below(4)));
  },
  (frame, choices) => {
    const tag = [choices.chance(64) ? 0x88 : 0x81, 0, choices.byte(), choices.byte()];
    if (tag[0] === 0x88) tag[1] = 0xa8;
    return joined(frame.subarray(0, TYPE_AT), Uint8Array.from(tag), frame.subarray(TYPE_AT));
  },
  (frame, choices) => {
    const value = choices.pick(ETHER_TYPES);
    return written(frame, layoutOf(frame).typeAt, Uint8Array.of(value >>> 8, value & 0xff));
  },
  (frame, choices) => resized(frame, choices.pick(LENGTHS)),
  (frame, choices) => resized(frame, choices.below(200)),
  (frame, choices) => resized(frame, choices.below(LONGEST)),
  (frame, choices) => resized(frame, frame.length + choices.below(64)),
  extended,
  (frame, choices) => {
    const { etherType, l3At } = layoutOf(frame);
    return written(frame, l3At + (etherType === IPV4 ? 8 : 7), Uint8Array.of(choices.pick([0, 1, 2, 64, 255])));
  },
  withOptions,
  fragmented,
  quoted,
];

/** Another IP address: in ARP sender or target, in IP source or destination. */
function addressed(frame: Uint8Array, choices: Choices, source: boolean): Uint8Array {
  const { etherType, l3At } = layoutOf(frame);
  switch (etherType) {
    case ARP:
      return written(frame, l3At + (source ? 14 : 24), choices.pick(IPS));
    case IPV4:
      return written(frame, l3At + (source ? 12 : 16), choices.pick(IPS));
    case IPV6: {
      // The target of neighbour discovery lies behind the header.
      const at = source ? 8 : choices.chance(128) ? 48 : 24;
      return written(frame, l3At + at, choices.pick(IP6S));
    }
    default:
      return frame;
  }
}

/** An IPv6 extension header more. */
function extended(frame: Uint8Array, choices: Choices): Uint8Array {
  const { etherType, l3At } = layoutOf(frame);
  const at = l3At + 40;
  if (etherType !== IPV6 || at > frame.length) return frame;
  const header = new Uint8Array(8 * (1 + choices.below(3)));
  header[0] = frame[l3At + 6];
  header[1] = choices.chance(32) ? choices.byte() : header.length / 8 - 1;
  if (choices.chance(64)) header.set(choices.bytes(4), 2);
  const longer = joined(frame.subarray(0, at), header, frame.subarray(at));
  longer[l3At + 6] = choices.pick(EXTENSIONS);
  return longer;
}

/** A fragment of one of few datagrams: the first, one amid, the last, all of it, or nonsense. */
function fragmented(frame: Uint8Array, choices: Choices): Uint8Array {
  const { etherType, l3At } = layoutOf(frame);
  const id = choices.below(3);
  const offset = choices.pick([0, 0, 8, 64, 0xfff8]);
  const more = choices.chance(160) ? 1 : 0;
  if (etherType === IPV4) {
    const field = (more << 13) | (offset >>> 3);
    return written(frame, l3At + 4, Uint8Array.of(0, id, field >>> 8, field & 0xff));
  }
  const at = l3At + 40;
  if (etherType !== IPV6 || at > frame.length) return frame;
  const header = Uint8Array.of(frame[l3At + 6], 0, offset >>> 8, (offset & 0xff) | more, 0, 0, 0, id);
  frame[l3At + 6] = 44;
  return joined(frame.subarray(0, at), header, frame.subarray(at));
}

/** An ICMP error about the frame, sent back by who it was for. */
function quoted(frame: Uint8Array, choices: Choices): Uint8Array {
  const { etherType, l3At } = layoutOf(frame);
  const headerLen = etherType === IPV4 ? 20 : 40;
  if ((etherType !== IPV4 && etherType !== IPV6) || l3At + headerLen > frame.length) return frame;
  const head = frame.slice(0, l3At + headerLen);
  head.set(frame.subarray(6, 12), 0);
  head.set(frame.subarray(0, 6), 6);
  const [addressesAt, length] = etherType === IPV4 ? [l3At + 12, 4] : [l3At + 8, 16];
  head.set(frame.subarray(addressesAt + length, addressesAt + 2 * length), addressesAt);
  head.set(frame.subarray(addressesAt, addressesAt + length), addressesAt + length);
  if (etherType === IPV4) head.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1], l3At);
  else head[l3At + 6] = 58;
  const message = Uint8Array.of(choices.pick(etherType === IPV4 ? [3, 11, 5] : [1, 2, 3, 4, 100]), 0, 0, 0, 0, 0, 0, 0);
  return joined(head, message, frame.subarray(l3At, l3At + choices.pick([28, 48, 56, 120, 600])));
}

/** IPv4 options or TCP options more, in the header's length. */
function withOptions(frame: Uint8Array, choices: Choices): Uint8Array {
  const { etherType, l3At, l4At, protocol } = layoutOf(frame);
  const tcp = protocol === 6 && l4At > 0 && choices.chance(128);
  if ((!tcp && etherType !== IPV4) || l3At + 20 > frame.length || (tcp && l4At + 20 > frame.length)) return frame;
  const at = (tcp ? l4At : l3At) + 20;
  const options = choices.bytes(4 * choices.below(11));
  if (tcp && choices.chance(128)) options.set([2, 4, 0x23, 0].slice(0, options.length));
  const longer = joined(frame.subarray(0, at), options, frame.subarray(at));
  const words = Math.min(15, 5 + options.length / 4);
  if (tcp) longer[l4At + 12] = words << 4;
  else longer[l3At] = 0x40 | words;
  return longer;
}

/** Makes the lengths of IP and UDP those of the frame, and the IPv4 checksum right. */
export function repair(frame: Uint8Array): void {
  const { etherType, l3At, l4At, protocol } = layoutOf(frame);
  if (etherType === IPV4) {
    put16(frame, l3At + 2, frame.length - l3At);
    put16(frame, l3At + 10, 0);
    const headerEnd = l3At + (frame[l3At] & 15) * 4;
    if (headerEnd <= frame.length) put16(frame, l3At + 10, onesComplement(frame, l3At, headerEnd));
  } else if (etherType === IPV6) {
    put16(frame, l3At + 4, frame.length - l3At - 40);
  }
  if (protocol === 17 && l4At > 0) put16(frame, l4At + 4, frame.length - l4At);
}

/** The Internet checksum of [at, end), the slow way; 0 when the range holds a right one. */
export function onesComplement(b: Uint8Array, at: number, end: number, initial = 0): number {
  let sum = initial;
  for (let i = at; i < end; i += 2) sum += (b[i] << 8) | (i + 1 < end ? b[i + 1] : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** `bytes` at `at`, as many as the frame has room for. */
function written(frame: Uint8Array, at: number, bytes: Uint8Array): Uint8Array {
  if (at < frame.length) frame.set(bytes.subarray(0, frame.length - at), at);
  return frame;
}

function resized(frame: Uint8Array, length: number): Uint8Array {
  const other = new Uint8Array(length);
  other.set(frame.subarray(0, length));
  return other;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
