/**
 * IPv4 header, 20 bytes and up to 40 of options (RFC 791 section 3.1; first byte pair of DSCP and ECN: RFC 2474, RFC 3168).
 *    0       1       2               4               6                   8
 *    +---+---+-------+---------------+---------------+---+---------------+
 *    |ver|ihl| tos   | total length  | id            |fl | fragment off. |
 *    +---+---+-------+---------------+---------------+---+---------------+
 *    8       9       10              12              16              20
 *    +-------+-------+---------------+---------------+---------------+
 *    | ttl   | proto | checksum      | source        | destination   |
 *    +-------+-------+---------------+---------------+---------------+
 */
import { get16, get32, put16, put32 } from './bytes.js';
import * as checksum from './checksum.js';

/** Length of a header without options. */
export const LEN = 20;
export const TOTAL_LENGTH = 2;
export const ID = 4;
export const FLAGS_AND_OFFSET = 6;
export const TTL = 8;
const PROTOCOL = 9;
export const CHECKSUM = 10;
export const SRC = 12;
export const DST = 16;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

/** Do not fragment. */
export const DF = 0x4000;
/** More fragments. */
export const MF = 0x2000;
const OFFSET_MASK = 0x1fff;

/** Whether a header without options lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** 4 in a header that deserves the name. */
export const version = (b: Uint8Array, at: number): number => b[at] >>> 4;
/** Length of the header with its options, bytes; below LEN in a malformed one. */
export const headerLen = (b: Uint8Array, at: number): number => (b[at] & 15) << 2;
/** DSCP and ECN. */
export const tos = (b: Uint8Array, at: number): number => b[at + 1];
/** Length of header and payload, bytes. */
export const totalLength = (b: Uint8Array, at: number): number => get16(b, at + TOTAL_LENGTH);
/** Identification, common to all fragments of a datagram. */
export const id = (b: Uint8Array, at: number): number => get16(b, at + ID);
/** The three flags and the fragment offset as one 16-bit field: DF, MF and the offset in units of 8 bytes. */
export const flagsAndOffset = (b: Uint8Array, at: number): number => get16(b, at + FLAGS_AND_OFFSET);
/** Whether the packet is one of several fragments: the first included. */
export const isFragment = (b: Uint8Array, at: number): boolean =>
  (get16(b, at + FLAGS_AND_OFFSET) & (MF | OFFSET_MASK)) !== 0;
/** Whether fragments follow this one. */
export const moreFragments = (b: Uint8Array, at: number): boolean => (get16(b, at + FLAGS_AND_OFFSET) & MF) !== 0;
/** Place of this fragment in the payload of its datagram, bytes. */
export const fragmentOffset = (b: Uint8Array, at: number): number =>
  (get16(b, at + FLAGS_AND_OFFSET) & OFFSET_MASK) << 3;
/** Hops left. */
export const ttl = (b: Uint8Array, at: number): number => b[at + TTL];
/** Protocol of the payload. */
export const protocol = (b: Uint8Array, at: number): number => b[at + PROTOCOL];
/** Source address. */
export const src = (b: Uint8Array, at: number): number => get32(b, at + SRC);
/** Destination address. */
export const dst = (b: Uint8Array, at: number): number => get32(b, at + DST);
/** Whether the header checksum is right; holds for a header whose headerLen lies in the frame. */
export const checksumOk = (b: Uint8Array, at: number): boolean => checksum.checksum(b, at, at + headerLen(b, at)) === 0;

/** Whether [at, end) begins with a header of version 4 that lies in it with its options and with the length it announces. */
export function wellFormed(b: Uint8Array, at: number, end: number): boolean {
  if (!fits(at, end) || version(b, at) !== 4) return false;
  const header = headerLen(b, at);
  const total = totalLength(b, at);
  return header >= LEN && total >= header && at + total <= end;
}

/** Writes the two bits of congestion notification, and corrects the checksum (RFC 1624). */
export function setEcn(b: Uint8Array, at: number, ecn: number): void {
  const before = get16(b, at);
  b[at + 1] = (b[at + 1] & ~3) | ecn;
  checksum.replace16(b, at + CHECKSUM, before, get16(b, at));
}

/** Takes one hop off the TTL, which is at least 1 on entry, and corrects the checksum (RFC 1624). */
export function decrementTtl(b: Uint8Array, at: number): void {
  const before = get16(b, at + TTL);
  b[at + TTL]--;
  checksum.replace16(b, at + CHECKSUM, before, before - 0x100);
}

/** What a header without options says. */
export interface Header {
  /** DSCP and ECN; default 0. */
  readonly tos?: number;
  readonly totalLength: number;
  readonly id: number;
  /** DF or 0, MF, fragment offset in units of 8 bytes. */
  readonly flagsAndOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly src: number;
  readonly dst: number;
}

/** Writes a whole header without options, its checksum included. */
export function write(b: Uint8Array, at: number, h: Header): void {
  b[at] = 0x45;
  b[at + 1] = h.tos ?? 0;
  put16(b, at + TOTAL_LENGTH, h.totalLength);
  put16(b, at + ID, h.id);
  put16(b, at + FLAGS_AND_OFFSET, h.flagsAndOffset);
  b[at + TTL] = h.ttl;
  b[at + PROTOCOL] = h.protocol;
  put16(b, at + CHECKSUM, 0);
  put32(b, at + SRC, h.src);
  put32(b, at + DST, h.dst);
  put16(b, at + CHECKSUM, checksum.checksum(b, at, at + LEN));
}
