/**
 * IPv6 header, 40 bytes (RFC 8200 section 3).
 *    0                       4               6       7       8
 *    +---+-------+-----------+---------------+-------+-------+
 *    |ver| class | flow label| payload length| next  | hops  |
 *    +---+-------+-----------+---------------+-------+-------+
 *    8                               24                              40
 *    +-------------------------------+-------------------------------+
 *    | source (16 bytes)             | destination (16 bytes)        |
 *    +-------------------------------+-------------------------------+
 */
import { get16, get32, put16, put32 } from './bytes.js';

export const LEN = 40;
/** Bytes of an address. */
export const ADDRESS_LEN = 16;
export const PAYLOAD_LENGTH = 4;
export const NEXT_HEADER = 6;
export const HOP_LIMIT = 7;
export const SRC = 8;
export const DST = 24;

const HOP_BY_HOP = 0;
const ROUTING = 43;
export const FRAGMENT = 44;
export const PROTOCOL_ICMPV6 = 58;
const DESTINATION_OPTIONS = 60;

/** Headers a chain may have before we call it hostile. */
const MAX_CHAIN = 8;

/** Whether a whole header lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** 6 in a header that deserves the name. */
export const version = (b: Uint8Array, at: number): number => b[at] >>> 4;
/** DSCP and ECN. */
export const trafficClass = (b: Uint8Array, at: number): number => (get16(b, at) >>> 4) & 0xff;
/** Flow label, 20 bits. */
export const flowLabel = (b: Uint8Array, at: number): number => get32(b, at) & 0xfffff;
/** Length of everything behind this header, extension headers included, bytes. */
export const payloadLength = (b: Uint8Array, at: number): number => get16(b, at + PAYLOAD_LENGTH);
/** Protocol of the payload, or kind of the first extension header. */
export const nextHeader = (b: Uint8Array, at: number): number => b[at + NEXT_HEADER];
/** Hops left. */
export const hopLimit = (b: Uint8Array, at: number): number => b[at + HOP_LIMIT];
/** Whether the address at `at` is ::, the source of a host that has none yet. */
export const isUnspecified = (b: Uint8Array, at: number): boolean =>
  (get32(b, at) | get32(b, at + 4) | get32(b, at + 8) | get32(b, at + 12)) === 0;
/** Whether the address at `at` is a multicast address, ff00::/8. */
export const isMulticast = (b: Uint8Array, at: number): boolean => b[at] === 0xff;

/** Whether [at, end) begins with a header of version 6 and holds the payload length it announces. */
export const wellFormed = (b: Uint8Array, at: number, end: number): boolean =>
  fits(at, end) && version(b, at) === 6 && at + LEN + payloadLength(b, at) <= end;

/** Writes the two bits of congestion notification, which is in bits 10 and 11. */
export function setEcn(b: Uint8Array, at: number, ecn: number): void {
  b[at + 1] = (b[at + 1] & ~0x30) | (ecn << 4);
}

/** Takes one hop off the hop limit, which is at least 1 on entry. */
export function decrementHopLimit(b: Uint8Array, at: number): void {
  b[at + HOP_LIMIT]--;
}

/**
 * Offset of the header of protocol `wanted` in the packet at `at`, found along the extension headers (RFC 8200 section 4); -1 when
 * there is none below `end`. Nothing is found behind the fragment header of a fragment that is not the first.
 */
export function find(b: Uint8Array, at: number, end: number, wanted: number): number {
  let kind = nextHeader(b, at);
  let p = at + LEN;
  for (let n = 0; n < MAX_CHAIN; n++) {
    if (kind === wanted) return p < end ? p : -1;
    if (p + 8 > end) return -1;
    const next = b[p];
    if (kind === HOP_BY_HOP || kind === ROUTING || kind === DESTINATION_OPTIONS) p += (b[p + 1] + 1) << 3;
    else if (kind === FRAGMENT && get16(b, p + 2) >>> 3 === 0) p += 8;
    else return -1;
    kind = next;
  }
  return -1;
}

/** What a header says; addresses are 16 bytes. */
export interface Header {
  /** DSCP and ECN; default 0. */
  readonly trafficClass?: number;
  /** 20 bits; default 0. */
  readonly flowLabel?: number;
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
}

/** Writes a whole header. */
export function write(b: Uint8Array, at: number, h: Header): void {
  put32(b, at, (6 << 28) | ((h.trafficClass ?? 0) << 20) | (h.flowLabel ?? 0));
  put16(b, at + PAYLOAD_LENGTH, h.payloadLength);
  b[at + NEXT_HEADER] = h.nextHeader;
  b[at + HOP_LIMIT] = h.hopLimit;
  b.set(h.src, at + SRC);
  b.set(h.dst, at + DST);
}
